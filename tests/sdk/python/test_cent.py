"""The published Python client of the server API: every method that is there."""

import uuid

import pytest
from cent import (
    BatchRequest,
    BroadcastRequest,
    CentApiResponseError,
    Client,
    DisconnectRequest,
    HistoryRemoveRequest,
    HistoryRequest,
    InfoRequest,
    PresenceRequest,
    PresenceStatsRequest,
    PublishRequest,
    RefreshRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)


@pytest.fixture
def backend(server):
    return Client(f"{server.url}/api", server.config["http_api"]["key"])


@pytest.fixture
def channel():
    return "api" + uuid.uuid4().hex[:8]


def test_what_is_published_is_in_the_history(backend, channel):
    first = backend.publish(PublishRequest(channel=channel, data={"n": 1}))
    second = backend.publish(PublishRequest(channel=channel, data={"n": 2}))
    assert (first.offset, second.offset) == (1, 2)
    history = backend.history(HistoryRequest(channel=channel, limit=10))
    assert [publication.data for publication in history.publications] == [{"n": 1}, {"n": 2}]
    assert (history.offset, history.epoch) == (2, first.epoch)


def test_the_same_key_publishes_once(backend, channel):
    for _ in range(2):
        result = backend.publish(PublishRequest(channel=channel, data=1, idempotency_key="once"))
        assert result.offset == 1


def test_a_removed_history_is_empty(backend, channel):
    backend.publish(PublishRequest(channel=channel, data=1))
    backend.history_remove(HistoryRemoveRequest(channel=channel))
    assert backend.history(HistoryRequest(channel=channel, limit=10)).publications == []


def test_a_broadcast_answers_for_every_channel(backend, channel):
    result = backend.broadcast(BroadcastRequest(channels=[channel, "nowhere:x"], data=1))
    assert result.responses[0].result.offset == 1
    assert result.responses[1].error.code == 102


def test_nobody_is_present(backend, channel):
    assert backend.presence(PresenceRequest(channel=channel)).presence == {}
    stats = backend.presence_stats(PresenceStatsRequest(channel=channel))
    assert (stats.num_clients, stats.num_users) == (0, 0)


def test_commands_to_nobody_succeed(backend, channel):
    backend.subscribe(SubscribeRequest(user="nobody", channel=channel))
    backend.unsubscribe(UnsubscribeRequest(user="nobody", channel=channel))
    backend.refresh(RefreshRequest(user="nobody", expire_at=4_000_000_000))
    backend.disconnect(DisconnectRequest(user="nobody"))


def test_info_knows_this_node(backend):
    nodes = backend.info(InfoRequest()).nodes
    assert len(nodes) == 1
    assert nodes[0].version


def test_a_batch_answers_in_order(backend, channel):
    publish = PublishRequest(channel=channel, data=1)
    replies = backend.batch(BatchRequest(requests=[publish, HistoryRequest(channel=channel, limit=1)])).replies
    assert replies[0].offset == 1
    assert [publication.data for publication in replies[1].publications] == [1]


def test_an_unknown_namespace_is_an_error(backend):
    with pytest.raises(CentApiResponseError) as caught:
        backend.publish(PublishRequest(channel="nowhere:x", data=1))
    assert caught.value.code == 102
