"""The published client for Python: every method that it has, against a server with a user."""

import inspect

import cent
import pytest
import scene as scenes
from cent.dto import PushRecipient, UserTopicUpdateRequest

LATER = object()


# In this order. A function says what has to be true of the result; a number is the error's code.
CALLS = [
    (cent.PublishRequest(channel="room:news", data={"n": 1}, tags={"lang": "de"}), lambda r: r.offset == 1 and r.epoch),
    (cent.PublishRequest(channel="nope:news", data=1), 102),
    (cent.BroadcastRequest(channels=["room:news", "nope:x"], data=2),
     lambda r: r.responses[0].result.offset == 2 and r.responses[1].error.code == 102),
    (cent.BatchRequest(requests=[cent.PublishRequest(channel="room:news", data=3),
                                 cent.HistoryRemoveRequest(channel="room:none")], parallel=True),
     lambda r: r.replies[0].offset == 3),
    (cent.HistoryRequest(channel="room:news", limit=2, reverse=True),
     lambda r: [(one.data, one.offset) for one in r.publications] == [(3, 3), (2, 2)] and r.offset == 3),
    (cent.HistoryRequest(channel="room:news", limit=1, since=cent.StreamPosition(offset=1, epoch="other")), 112),
    (cent.HistoryRemoveRequest(channel="room:news"), lambda r: r is not None),
    (cent.PresenceRequest(channel="room:online"),
     lambda r, client: r.presence[client].user == "42" and r.presence[client].conn_info == {"name": "Ann"}),
    (cent.PresenceStatsRequest(channel="room:online"), lambda r: (r.num_clients, r.num_users) == (1, 1)),
    (cent.InfoRequest(), lambda r: len(r.nodes) == 1 and r.nodes[0].num_clients == 1),
    (cent.ChannelsRequest(pattern="room:*"), lambda r: {n: c.num_clients for n, c in r.channels.items()} == {"room:online": 1}),
    (cent.ConnectionsRequest(user="42", expression=""),
     lambda r, client: r.connections[client].app_name == "calls"
     and r.connections[client].state.channels["room:online"].source == 6
     and r.connections[client].state.connection_token.uid == "token-1"),
    (cent.ConnectionsRequest(user="", expression="app_name == 'calls' && user == '42'"), lambda r, client: list(r.connections) == [client]),
    (cent.ConnectionsRequest(user="", expression="usr == '42'"), 107),
    (cent.SubscribeRequest(user="42", channel="room:more"), lambda r: r is not None),
    (cent.UnsubscribeRequest(user="42", channel="room:more"), lambda r: r is not None),
    (cent.RefreshRequest(user="42", expire_at=4_000_000_000), lambda r: r is not None),
    (cent.UpdateUserStatusRequest(users=["42"]), lambda r: r is not None),
    (cent.GetUserStatusRequest(users=["42"]), lambda r: r.statuses[0].user == "42" and r.statuses[0].active > 0),
    (cent.DeleteUserStatusRequest(users=["42"]), lambda r: r is not None),
    (cent.RevokeTokenRequest(uid="another"), lambda r: r is not None),
    (cent.InvalidateUserTokensRequest(user="17"), lambda r: r is not None),
    (cent.BlockUserRequest(user="17"), lambda r: r is not None),
    (cent.UnblockUserRequest(user="17"), lambda r: r is not None),
    (cent.DeviceRegisterRequest(provider="apns", token="t", platform="ios"), LATER),
    (cent.DeviceUpdateRequest(ids=["d"]), LATER),
    (cent.DeviceRemoveRequest(ids=["d"]), LATER),
    (cent.DeviceListRequest(), LATER),
    (cent.DeviceTopicListRequest(), LATER),
    (cent.DeviceTopicUpdateRequest(device_id="d", op="add", topics=["t"]), LATER),
    (cent.UserTopicListRequest(), LATER),
    (UserTopicUpdateRequest(user="42", op="add", topics=["t"]), LATER),
    (cent.SendPushNotificationRequest(recipient=PushRecipient(filter=cent.DeviceFilter(users=["42"])),
                                      notification=cent.PushNotification()), LATER),
    (cent.UpdatePushStatusRequest(analytics_uid="u", status="delivered"), LATER),
    (cent.CancelPushRequest(uid="u"), LATER),
    (cent.DisconnectRequest(user="42"), lambda r: r is not None),
]


def method_of(request):
    """`PresenceStatsRequest` is asked by `presence_stats`."""
    name = type(request).__name__.removesuffix("Request")
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


@pytest.fixture(scope="module")
def backend(scene):
    server, _ = scene
    return cent.Client(f"{server.url}/api", scenes.HTTP_KEY)


def test_every_method_gives_its_answer(scene, backend):
    _, user = scene
    for request, wanted in CALLS:
        ask = getattr(backend, method_of(request))
        if wanted is LATER or isinstance(wanted, int):
            with pytest.raises(cent.CentApiResponseError) as refused:
                ask(request)
            assert refused.value.code == (108 if wanted is LATER else wanted), request
            continue
        result = ask(request)
        arguments = (result, user.client)[: len(inspect.signature(wanted).parameters)]
        assert wanted(*arguments), (request, result)
    assert user.closed() == 3503  # The last call of the table.


def test_the_table_has_every_method_of_the_client(backend):
    methods = {name for name, _ in inspect.getmembers(backend, inspect.ismethod) if not name.startswith("_")}
    assert {method_of(request) for request, _ in CALLS} == methods - {"close"}


def test_a_wrong_key_is_refused(scene):
    server, _ = scene
    with pytest.raises(cent.CentUnauthorizedError):
        cent.Client(f"{server.url}/api", "wrong").info(cent.InfoRequest())
