"""Clients generated from our `.proto` files consume streams over gRPC, are cut off, and go on where they stopped."""

import contextlib
import json
import queue
import threading
import urllib.request

import grpc
import pytest

import scene as scenes

UNI = "centrifugal/centrifugo/unistream/unistream.proto"
BOTH = "gyre/client/v1/client.proto"
SECONDS = scenes.WAIT_SECONDS_MAX


@pytest.fixture(scope="module")
def server():
    with scenes.Server(scenes.streams_config()) as running:
        yield running


@pytest.fixture(scope="module")
def uni(generate):
    return generate(UNI)


@pytest.fixture(scope="module")
def both(generate):
    return generate(BOTH)


@contextlib.contextmanager
def stub(server, service):
    with grpc.insecure_channel(f"127.0.0.1:{server.config['uni_grpc']['port']}") as channel:
        yield service(channel)


def api(server, method, **body):
    request = urllib.request.Request(
        f"{server.url}/api/{method}", json.dumps(body).encode(), {"X-API-Key": scenes.HTTP_KEY}
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)["result"]


def publish(server, channel, *values):
    for value in values:
        api(server, "publish", channel=channel, data=value)


def numbers(publications):
    return [json.loads(publication.data) for publication in publications]


def consume(client, messages, token, channel, since=None):
    """The call, and its connect push."""
    wish = messages.SubscribeRequest()
    if since:
        wish = messages.SubscribeRequest(recover=True, epoch=since.epoch, offset=since.offset)
    request = messages.ConnectRequest(token=token, name="python", subs={channel: wish})
    call = client.Consume(request, timeout=SECONDS)
    return call, next(call).connect


def test_a_stream_is_consumed_cut_and_resumed(server, uni):
    messages, services = uni
    channel = "news:resumed"
    with stub(server, services.CentrifugoUniStreamStub) as client:
        call, connect = consume(client, messages, server.token(sub="42"), channel)
        assert connect.client and connect.session and connect.ping == 1 and not connect.pong
        position = connect.subs[channel]
        assert position.recoverable and position.positioned
        publish(server, channel, 1, 2, 3)
        pushes = [push for push in take(call, 3)]
        assert numbers(push.pub for push in pushes) == [1, 2, 3]
        assert [push.channel for push in pushes] == [channel] * 3
        position.offset = pushes[-1].pub.offset
        call.cancel()

        publish(server, channel, 4, 5)
        call, connect = consume(client, messages, server.token(sub="42"), channel, position)
        again = connect.subs[channel]
        assert again.was_recovering and again.recovered
        assert numbers(again.publications) == [4, 5]
        publish(server, channel, 6)
        assert numbers(push.pub for push in take(call, 1)) == [6]
        call.cancel()


def take(call, count):
    """The next pushes that are no pings."""
    found = []
    for push in call:
        push.ClearField("padding")
        if push.ByteSize():
            found.append(push)
        if len(found) == count:
            return found
    raise AssertionError(f"the stream ended after {len(found)} of {count}")


def test_pings_are_empty_and_come_as_promised(server, uni):
    messages, services = uni
    with stub(server, services.CentrifugoUniStreamStub) as client:
        call, _ = consume(client, messages, server.token(sub="quiet"), "news:quiet")
        assert [next(call).ByteSize() for _ in range(2)] == [0, 0]
        call.cancel()


def test_the_last_push_says_why_and_the_status_is_ok(server, uni):
    messages, services = uni
    with stub(server, services.CentrifugoUniStreamStub) as client:
        call, _ = consume(client, messages, server.token(sub="gone"), "news:gone")
        api(server, "disconnect", user="gone")
        last = [push for push in call if push.HasField("disconnect")]
        assert [(push.disconnect.code, push.disconnect.reason) for push in last] == [(3503, "force disconnect")]
        assert call.code() is grpc.StatusCode.OK

        call = client.Consume(messages.ConnectRequest(token="garbage"), timeout=SECONDS)
        assert [push.disconnect.code for push in call] == [3500]


def test_what_is_no_request_has_a_status(server, uni):
    messages, services = uni
    with stub(server, services.CentrifugoUniStreamStub) as client:
        long = messages.ConnectRequest(data=b"1" * 70_000)
        for request, code in [(long, grpc.StatusCode.RESOURCE_EXHAUSTED)]:
            with pytest.raises(grpc.RpcError) as refused:
                next(client.Consume(request, timeout=SECONDS))
            assert refused.value.code() is code
    address = f"127.0.0.1:{server.config['uni_grpc']['port']}"
    with grpc.insecure_channel(address) as channel:
        for method, code in [
            ("/centrifugal.centrifugo.unistream.CentrifugoUniStream/Other", grpc.StatusCode.UNIMPLEMENTED),
            ("/centrifugal.centrifugo.unistream.CentrifugoUniStream/Consume", grpc.StatusCode.INVALID_ARGUMENT),
        ]:
            with pytest.raises(grpc.RpcError) as refused:
                next(channel.unary_stream(method)(b"\xff", timeout=SECONDS))
            assert refused.value.code() is code


class Client:
    """A connection over the stream that goes both ways."""

    def __init__(self, stub, messages):
        self.messages, self.commands, self.count = messages, queue.SimpleQueue(), 0
        self.replies = stub.Connect(iter(self.commands.get, None), timeout=SECONDS)
        self.pushes = []

    def ask(self, **command):
        self.count += 1
        self.commands.put(self.messages.Command(id=self.count, **command))
        while True:
            reply = self.next()
            if reply.id == self.count:
                return reply
            self.pushes.append(reply.push)

    def next(self):
        """The next reply that is no ping; pings are answered."""
        for reply in self.replies:
            reply.ClearField("padding")
            if reply.ByteSize():
                return reply
            self.commands.put(self.messages.Command())
        raise AssertionError("the stream ended")

    def push(self):
        return self.pushes.pop(0) if self.pushes else self.next().push


def test_the_client_protocol_over_one_call(server, both):
    messages, services = both
    channel = "news:both"
    with stub(server, services.ClientServiceStub) as service:
        client = Client(service, messages)
        connected = client.ask(connect=messages.ConnectRequest(token=server.token(sub="both"), name="python")).connect
        assert connected.client and connected.ping == 1 and connected.pong and not connected.session
        position = client.ask(subscribe=messages.SubscribeRequest(channel=channel)).subscribe
        refused = client.ask(subscribe=messages.SubscribeRequest(channel="unknown:channel"))
        assert refused.error.code == 102
        client.ask(publish=messages.PublishRequest(channel=channel, data=b'"own"'))
        pushed = client.push()
        assert (pushed.channel, pushed.pub.data, pushed.pub.info.user) == (channel, b'"own"', "both")
        history = client.ask(history=messages.HistoryRequest(channel=channel, limit=10)).history
        assert [publication.data for publication in history.publications] == [b'"own"']
        client.replies.cancel()

        publish(server, channel, 1, 2)
        client = Client(service, messages)
        client.ask(connect=messages.ConnectRequest(token=server.token(sub="both")))
        wish = messages.SubscribeRequest(channel=channel, recover=True, epoch=position.epoch, offset=pushed.pub.offset)
        again = client.ask(subscribe=wish).subscribe
        assert again.recovered and numbers(again.publications) == [1, 2]
        # A client that ends its side has left.
        client.commands.put(None)
        assert [reply for reply in client.replies if reply.ByteSize()] == []
        assert client.replies.code() is grpc.StatusCode.OK
        assert api(server, "presence_stats", channel=channel)["num_clients"] == 0


def test_many_streams_share_a_connection(server, uni):
    messages, services = uni
    count, channel = 100, "news:many"
    with stub(server, services.CentrifugoUniStreamStub) as client:
        token = server.token(sub="many")
        calls = [consume(client, messages, token, channel)[0] for _ in range(count)]
        publish(server, channel, "to all")
        got = []

        def read(call):
            got.append(numbers(push.pub for push in take(call, 1)))

        readers = [threading.Thread(target=read, args=(call,)) for call in calls]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(SECONDS)
        assert got == [["to all"]] * count
        for call in calls:
            call.cancel()
