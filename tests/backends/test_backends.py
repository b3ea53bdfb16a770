"""The example backends serve every event, for clients of the published SDK."""

import asyncio
import contextlib
import uuid

import conftest
import pytest
from centrifuge import Client, ClientEventHandler, ReplyError, SubscriptionEventHandler


class Life(ClientEventHandler):
    """What happened to a connection."""

    def __init__(self):
        self.connected, self.disconnected = asyncio.Queue(), asyncio.Queue()

    async def on_connected(self, ctx):
        self.connected.put_nowait(ctx)

    async def on_disconnected(self, ctx):
        self.disconnected.put_nowait(ctx)


class Inbox(SubscriptionEventHandler):
    """What happened to a subscription."""

    def __init__(self):
        self.subscribed, self.unsubscribed = asyncio.Queue(), asyncio.Queue()
        self.publications, self.errors = asyncio.Queue(), asyncio.Queue()

    async def on_subscribed(self, ctx):
        self.subscribed.put_nowait(ctx)

    async def on_unsubscribed(self, ctx):
        self.unsubscribed.put_nowait(ctx)

    async def on_publication(self, ctx):
        self.publications.put_nowait(ctx.pub)

    async def on_error(self, ctx):
        self.errors.put_nowait(ctx)


def channel(namespace):
    return f"{namespace}:{uuid.uuid4().hex[:8]}"


def play(scene):
    """Runs a scene, bounded in time."""
    asyncio.run(asyncio.wait_for(scene(), 30))


@contextlib.asynccontextmanager
async def connected(server, user):
    """A client that the backend knows as this user."""
    life = Life()
    client = Client(f"ws://127.0.0.1:{server.port}/connection/websocket", events=life, data={"user": user})
    await client.connect()
    try:
        yield client, life, await life.connected.get()
    finally:
        await client.disconnect()


async def subscribed(client, name):
    inbox = Inbox()
    subscription = client.new_subscription(name, inbox)
    await subscription.subscribe()
    return subscription, inbox, await inbox.subscribed.get()


def test_connect(both):
    _, server = both

    async def scene():
        life = Life()
        stranger = Client(f"ws://127.0.0.1:{server.port}/connection/websocket", events=life)
        await stranger.connect()
        ctx = await life.disconnected.get()
        assert (ctx.code, ctx.reason) == (4501, "unauthorized")
        async with connected(server, "ann") as (_, _, ctx):
            assert ctx.data == {"hello": "ann"}

    play(scene)


def test_subscribe_and_presence(both):
    _, server = both

    async def scene():
        name = channel("room")
        async with connected(server, "ann") as (client, _, _):
            subscription, _, ctx = await subscribed(client, name)
            assert ctx.data == {"welcome": name}
            (member,) = (await subscription.presence()).clients.values()
            assert (member.user, member.conn_info, member.chan_info) == ("ann", {"name": "Ann"}, {"plan": "free"})
        async with connected(server, "mallory") as (client, _, _):
            inbox = Inbox()
            await client.new_subscription(name, inbox).subscribe()
            assert (await inbox.unsubscribed.get()).code == 403

    play(scene)


def test_publish(both):
    _, server = both

    async def scene():
        async with connected(server, "ann") as (client, _, _):
            subscription, inbox, _ = await subscribed(client, channel("room"))
            await subscription.publish({"text": "hi"})
            publication = await inbox.publications.get()
            assert publication.data == {"text": "hi", "from": "ann"}
            with pytest.raises(ReplyError) as refused:
                await subscription.publish({"text": ""})
            assert refused.value.code == 400

    play(scene)


def test_rpc(both):
    _, server = both

    async def scene():
        async with connected(server, "ann") as (client, _, _):
            assert (await client.rpc("add", [1, 2, 3])).data == {"sum": 6}
            with pytest.raises(ReplyError) as refused:
                await client.rpc("divide", [1, 0])
            assert refused.value.code == 404

    play(scene)


def test_refresh_and_sub_refresh(both):
    """Mallory's connection expires; Ann's goes on for as long, and so does her subscription."""
    _, server = both

    async def scene():
        async with connected(server, "ann") as (ann, life, _):
            subscription, inbox, _ = await subscribed(ann, channel("room"))
            async with connected(server, "mallory") as (_, other, _):
                # A reconnect after an expiry is a new connection; the backend lets in everybody.
                await other.connected.get()
            assert life.disconnected.empty() and inbox.unsubscribed.empty()
            await subscription.publish({"text": "still here"})
            assert (await inbox.publications.get()).data["text"] == "still here"

    play(scene)


def test_an_empty_cache_is_filled(both):
    _, server = both

    async def scene():
        async with connected(server, "ann") as (client, _, _):
            _, inbox, _ = await subscribed(client, channel("score"))
            assert (await inbox.publications.get()).data == {"score": 0}

    play(scene)


def test_channels_are_occupied_and_vacated(both):
    backend, server = both

    async def scene():
        name = channel("room")
        async with connected(server, "ann") as (client, _, _):
            subscription, _, _ = await subscribed(client, name)
            await asyncio.to_thread(backend.wait_for, "occupied", name)
            await subscription.unsubscribe()
            await asyncio.to_thread(backend.wait_for, "vacated", name)

    play(scene)


def test_channel_states_outlive_a_kill(tmp_path):
    """Who comes back after a `kill -9` was never away, and generations grow on."""
    port = conftest.free_port()
    with conftest.python_http(port) as backend:
        config = conftest.configured(backend)
        config["storage"] = {"sqlite": {"path": str(tmp_path / "gyre.db")}}
        name = channel("room")

        async def scene():
            with conftest.Server(config, port) as server:
                async with connected(server, "ann") as (client, _, _):
                    subscription, inbox, _ = await subscribed(client, name)
                    await asyncio.to_thread(backend.wait_for, "occupied", name)
                    server.process.kill()
                    server.process.wait()
                    with conftest.Server(config, port):
                        await inbox.subscribed.get()
                        await subscription.unsubscribe()
                        await asyncio.to_thread(backend.wait_for, "vacated", name)

        play(scene)
        # The kill may come before it was noted that the backend took an event: it comes again, as it was.
        told = {int(line.split()[2]): line.split()[0] for line in backend.said if line.split()[1] == name}
        assert [told[generation] for generation in sorted(told)] == ["occupied", "vacated"]


def test_streams(both):
    backend, server = both
    if backend.name != "grpc":
        pytest.skip("streams go over gRPC only")

    async def scene():
        async with connected(server, "ann") as (client, _, _):
            _, inbox, _ = await subscribed(client, channel("clock"))
            assert "time" in (await inbox.publications.get()).data
            subscription, inbox, _ = await subscribed(client, channel("echo"))
            for number in range(3):
                await subscription.publish({"number": number})
                assert (await inbox.publications.get()).data == {"number": number}

    play(scene)
