"""The published Python SDK against the built server, in JSON and in Protobuf."""

import asyncio
import json
import time
import uuid

import pytest
from centrifuge import (
    Client,
    ClientEventHandler,
    DeltaType,
    Filter,
    ReplyError,
    StreamPosition,
    SubscriptionEventHandler,
)
from cent import AsyncClient
from cent import BroadcastRequest, DisconnectRequest, PublishRequest, UnsubscribeRequest
from cutter import Cutter

FORMATS = ["json", "protobuf"]


def unique(prefix="c"):
    return prefix + uuid.uuid4().hex[:8]


def numbers(first, last):
    return list(range(first, last + 1))


class Events(ClientEventHandler):
    """What happened to a connection."""

    def __init__(self):
        self.connected, self.disconnected, self.publications = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()

    async def on_connected(self, ctx):
        self.connected.put_nowait(ctx)

    async def on_disconnected(self, ctx):
        self.disconnected.put_nowait(ctx)

    async def on_publication(self, ctx):
        self.publications.put_nowait(ctx)


class Inbox(SubscriptionEventHandler):
    """What happened to a subscription."""

    def __init__(self, use):
        self.use, self.values, self.offsets = use, [], []
        self.subscribed, self.subscribing, self.unsubscribed = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()
        self.joined, self.left, self._came = asyncio.Queue(), asyncio.Queue(), asyncio.Event()

    async def until(self, count):
        while len(self.values) < count:
            self._came.clear()
            await self._came.wait()

    async def on_subscribed(self, ctx):
        self.subscribed.put_nowait(ctx)

    async def on_subscribing(self, ctx):
        self.subscribing.put_nowait(ctx)

    async def on_unsubscribed(self, ctx):
        self.unsubscribed.put_nowait(ctx)

    async def on_publication(self, ctx):
        self.values.append(self.use.unwrap(ctx.pub.data))
        self.offsets.append(ctx.pub.offset)
        self._came.set()

    async def on_join(self, ctx):
        self.joined.put_nowait(ctx.info.user)

    async def on_leave(self, ctx):
        self.left.put_nowait(ctx.info.user)


class Use:
    """A test's clients in one format, and the backend's API client; all are closed at the end."""

    def __init__(self, server, fmt):
        self.server, self.protobuf, self.clients = server, fmt == "protobuf", []

    async def __aenter__(self):
        self.backend = AsyncClient(f"{self.server.url}/api", self.server.config["http_api"]["key"])
        return self

    async def __aexit__(self, *_):
        for client in self.clients:
            await client.disconnect()
        await self.backend.close()

    def wrap(self, value):
        return json.dumps(value).encode() if self.protobuf else value

    def unwrap(self, data):
        return json.loads(data) if self.protobuf else data

    def client(self, port=None, **options):
        address = f"ws://127.0.0.1:{port or self.server.port}/connection/websocket"
        client = Client(
            address, events=Events(), use_protobuf=self.protobuf, proxy=None,
            min_reconnect_delay=0.01, max_reconnect_delay=0.1, **options,
        )
        self.clients.append(client)
        return client

    async def connected(self, user=None, port=None, **options):
        token = options.pop("token", None) or self.server.token(sub=user or unique("u"))
        client = self.client(port, token=token, **options)
        await client.connect()
        await client.ready(5)
        return client

    async def subscribed(self, client, channel, **options):
        inbox = Inbox(self)
        subscription = client.new_subscription(
            channel, events=inbox, min_resubscribe_delay=0.01, max_resubscribe_delay=0.1, **options
        )
        await subscription.subscribe()
        await subscription.ready(5)
        await inbox.subscribed.get()
        return subscription, inbox

    async def publish(self, channel, *values, **options):
        for value in values:
            await self.backend.publish(PublishRequest(channel=channel, data=value, **options))


@pytest.fixture(params=FORMATS)
def use(request, server):
    return Use(server, request.param)


def scenario(function):
    """Runs a coroutine with clients that are closed at the end."""

    def test(use, run):
        async def body():
            async with use:
                await function(use)

        run(body())

    test.__name__, test.__doc__ = function.__name__, function.__doc__
    return test


@scenario
async def test_a_token_connects(use):
    client = await use.connected("42")
    context = await client.events.connected.get()
    assert len(context.client) == 36
    assert context.version


@scenario
async def test_a_token_of_somebody_else_does_not(use):
    client = use.client(token=use.server.token(secret="another", sub="42"))
    await client.connect()
    assert (await client.events.disconnected.get()).code == 3500


@scenario
async def test_publications_arrive_from_a_client_and_from_the_server_api(use):
    channel = unique()
    here, inbox_here = await use.subscribed(await use.connected(), channel)
    _, inbox_there = await use.subscribed(await use.connected(), channel)
    await here.publish(use.wrap({"from": "client"}))
    await use.publish(channel, {"from": "backend"})
    for inbox in (inbox_here, inbox_there):
        await inbox.until(2)
        assert inbox.values == [{"from": "client"}, {"from": "backend"}]
        assert inbox.offsets == [1, 2]


@scenario
async def test_a_broadcast_reaches_every_channel(use):
    client, channels = await use.connected(), [unique(), unique()]
    inboxes = [(await use.subscribed(client, channel))[1] for channel in channels]
    await use.backend.broadcast(BroadcastRequest(channels=channels, data="all"))
    for inbox in inboxes:
        await inbox.until(1)
        assert inbox.values == ["all"]


@scenario
async def test_presence_knows_who_is_there(use):
    channel = unique()
    subscription, inbox = await use.subscribed(await use.connected("anna"), channel)
    other, _ = await use.subscribed(await use.connected("bela"), channel)
    while await inbox.joined.get() != "bela":
        pass
    clients = (await subscription.presence()).clients
    assert sorted(info.user for info in clients.values()) == ["anna", "bela"]
    stats = await subscription.presence_stats()
    assert (stats.num_clients, stats.num_users) == (2, 2)
    await other.unsubscribe()
    assert await inbox.left.get() == "bela"


@scenario
async def test_history_is_read_in_both_directions(use):
    channel = unique()
    subscription, _ = await use.subscribed(await use.connected(), channel)
    await use.publish(channel, *numbers(1, 5))

    async def read(**options):
        return [use.unwrap(publication.data) for publication in (await subscription.history(**options)).publications]

    top = await subscription.history(limit=0)
    assert top.offset == 5
    assert await read(limit=-1) == [1, 2, 3, 4, 5]
    assert await read(limit=2, since=StreamPosition(offset=2, epoch=top.epoch)) == [3, 4]
    assert await read(limit=2, reverse=True) == [5, 4]


@scenario
async def test_nothing_is_missed_or_doubled_when_the_connection_is_cut(use):
    channel = unique()
    async with Cutter(use.server.port) as cutter:
        _, inbox = await use.subscribed(await use.connected(port=cutter.port), channel)
        await inbox.subscribing.get()
        await use.publish(channel, *numbers(1, 10))
        await inbox.until(10)
        for start in (10, 30):
            cutter.cut()
            await inbox.subscribing.get()
            await use.publish(channel, *numbers(start + 1, start + 10))
            cutter.mend()
            # These may be recovered or live.
            await use.publish(channel, *numbers(start + 11, start + 20))
            context = await inbox.subscribed.get()
            assert (context.was_recovering, context.recovered) == (True, True)
            await inbox.until(start + 20)
        assert inbox.values == numbers(1, 50)
        assert inbox.offsets == numbers(1, 50)


@scenario
async def test_a_gap_that_history_no_longer_covers_is_told(use):
    channel = unique("small:")
    async with Cutter(use.server.port) as cutter:
        _, inbox = await use.subscribed(await use.connected(port=cutter.port), channel)
        await inbox.subscribing.get()
        cutter.cut()
        await inbox.subscribing.get()
        await use.publish(channel, *numbers(1, 5))
        cutter.mend()
        context = await inbox.subscribed.get()
        assert (context.was_recovering, context.recovered) == (True, False)


@scenario
async def test_an_expiring_connection_is_refreshed_and_stays(use):
    asked = asyncio.Event()

    async def get_token():
        asked.set()
        return use.server.token(sub="42", exp=int(time.time()) + 60)

    token = use.server.token(sub="42", exp=int(time.time()) + 2)
    client = await use.connected(token=token, get_token=get_token)
    await client.events.connected.get()
    await asked.wait()
    subscription, inbox = await use.subscribed(client, unique())
    await subscription.publish(use.wrap("still here"))
    await inbox.until(1)
    assert client.events.connected.empty(), "it did not have to connect again"


@scenario
async def test_an_expiring_subscription_is_refreshed_and_stays(use):
    channel, lifetimes, refreshed = unique("token:"), [2, 60], asyncio.Event()

    async def get_token(_):
        lifetime = lifetimes.pop(0)
        if not lifetimes:
            refreshed.set()
        return use.server.token(sub="42", channel=channel, exp=int(time.time()) + lifetime)

    _, inbox = await use.subscribed(await use.connected("42"), channel, get_token=get_token)
    await refreshed.wait()
    await use.publish(channel, "kept")
    await inbox.until(1)
    assert inbox.subscribed.empty() and inbox.unsubscribed.empty()


@scenario
async def test_deltas_add_up_to_what_was_published(use):
    channel = unique("delta:")
    text = ", ".join(f"line {n} of the fable of the fox" for n in range(200))
    values = [{"n": n, "text": f"{text} – {n}, zwölf, 日本"} for n in range(20)]
    async with Cutter(use.server.port) as cutter:
        client = await use.connected(port=cutter.port)
        _, inbox = await use.subscribed(client, channel, delta=DeltaType.FOSSIL)
        await inbox.subscribing.get()
        before = cutter.received
        await use.publish(channel, *values[:10])
        await inbox.until(10)
        assert cutter.received - before < 3 * len(json.dumps(values[0])), "patches were sent"
        cutter.cut()
        await inbox.subscribing.get()
        await use.publish(channel, *values[10:])
        cutter.mend()
        await inbox.until(20)
        assert inbox.values == values


@scenario
async def test_tags_choose_what_arrives(use):
    channel = unique("tags:")
    _, inbox = await use.subscribed(await use.connected(), channel, tags_filter=Filter.eq("kind", "wanted"))
    await use.publish(channel, 1, tags={"kind": "other"})
    await use.publish(channel, 2, tags={"kind": "wanted"})
    await inbox.until(1)
    assert inbox.values == [2]


@scenario
async def test_a_server_side_subscription_brings_publications(use):
    user = unique("u")
    client = await use.connected(user)
    await use.publish(f"#{user}", "personal")
    context = await client.events.publications.get()
    assert (context.channel, use.unwrap(context.pub.data)) == (f"#{user}", "personal")


@scenario
async def test_the_backend_ends_a_subscription_and_a_connection(use):
    user, channel = unique("u"), unique()
    client = await use.connected(user)
    _, inbox = await use.subscribed(client, channel)
    await use.backend.unsubscribe(UnsubscribeRequest(user=user, channel=channel))
    assert (await inbox.unsubscribed.get()).code == 2000
    await use.backend.disconnect(DisconnectRequest(user=user))
    assert (await client.events.disconnected.get()).code == 3503


@scenario
async def test_an_rpc_that_nobody_answers_is_an_error(use):
    client = await use.connected()
    with pytest.raises(ReplyError) as caught:
        await client.rpc("hello", use.wrap({}))
    assert caught.value.code == 108
