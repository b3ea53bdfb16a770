"""A Python gRPC client generated from our `.proto`: every method, and what gRPC itself brings."""

import threading

import grpc
import pytest
import scene as scenes
from google.protobuf.json_format import MessageToDict, ParseDict
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

METADATA = [("authorization", f"apikey {scenes.GRPC_KEY}")]
SECONDS = 10


@pytest.fixture(scope="module")
def address(scene):
    server, _ = scene
    return f"127.0.0.1:{server.config['grpc_api']['port']}"


@pytest.fixture(scope="module")
def stub(address, generated):
    with grpc.insecure_channel(address) as channel:
        yield generated[1].CentrifugoApiStub(channel)


def test_every_method_gives_its_answer(scene, stub, generated):
    _, user = scene
    service = generated[0].DESCRIPTOR.services_by_name["CentrifugoApi"]
    table = scenes.calls(user.client)
    assert {call["method"] for call in table} == set(service.methods_by_name)
    for call in table:
        method = service.methods_by_name[call["method"]]
        request = ParseDict(call["request"], getattr(generated[0], method.input_type.name)())
        answer = getattr(stub, call["method"])(request, metadata=METADATA, timeout=SECONDS)
        found = MessageToDict(answer, preserving_proto_field_name=True)
        assert not scenes.differs(found, scenes.expected(call)), f"{call}: {found}"
    assert user.closed() == 3503  # The last call of the table.


def test_without_the_key_nothing_is_answered(stub, generated):
    for metadata in ([], [("authorization", "apikey wrong")], [("authorization", f"Bearer {scenes.GRPC_KEY}")]):
        with pytest.raises(grpc.RpcError) as refused:
            stub.Info(generated[0].InfoRequest(), metadata=metadata, timeout=SECONDS)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_an_error_may_be_a_status_with_the_error_in_its_details(stub, generated):
    metadata = [*METADATA, ("x-centrifugo-error-mode", "transport")]
    with pytest.raises(grpc.RpcError) as refused:
        stub.Publish(generated[0].PublishRequest(channel="nope:x", data=b"1"), metadata=metadata, timeout=SECONDS)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    status = rpc_status.from_call(refused.value)
    error = generated[0].Error()
    assert status.details[0].Unpack(error)
    assert (error.code, error.message) == (102, "unknown channel")


def test_compressed_calls_are_answered(stub, generated):
    request = generated[0].PublishRequest(channel="room:zipped", data=b'"' + b"x" * 100_000 + b'"')
    answer = stub.Publish(request, metadata=METADATA, timeout=SECONDS, compression=grpc.Compression.Gzip)
    assert answer.result.offset == 1
    request = generated[0].HistoryRequest(channel="room:zipped", limit=1)
    answer = stub.History(request, metadata=METADATA, timeout=SECONDS, compression=grpc.Compression.Gzip)
    assert len(answer.result.publications[0].data) == 100_002


def test_a_message_above_the_limit_is_refused(stub, generated):
    request = generated[0].PublishRequest(channel="room:long", data=b"1" * 5_000_000)
    with pytest.raises(grpc.RpcError) as refused:
        stub.Publish(request, metadata=METADATA, timeout=SECONDS)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_health_is_answered_without_a_key(address):
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "centrifugal.centrifugo.api.CentrifugoApi"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=SECONDS)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_silent_connection_that_pings_is_kept(address, generated):
    # Every tenth of a second, without a call: a server that minds too many pings would say goodbye.
    options = [("grpc.keepalive_time_ms", 100), ("grpc.keepalive_permit_without_calls", 1),
               ("grpc.http2.max_pings_without_data", 0)]
    with grpc.insecure_channel(address, options=options) as channel:
        stub = generated[1].CentrifugoApiStub(channel)
        stub.Info(generated[0].InfoRequest(), metadata=METADATA, timeout=SECONDS)
        states = []
        lost = threading.Event()

        def changed(state):
            states.append(state)
            if state is grpc.ChannelConnectivity.IDLE or state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                lost.set()

        channel.subscribe(changed)
        assert not lost.wait(2), states
        stub.Info(generated[0].InfoRequest(), metadata=METADATA, timeout=SECONDS)
