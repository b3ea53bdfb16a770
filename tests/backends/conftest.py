"""Backends of applications, each in a process or a server of its own, and servers that ask them."""

import contextlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "deploy/examples"
PROXY = "centrifugal/centrifugo/proxy/proxy.proto"
TTL_SECONDS = 2
sys.path[:0] = [str(ROOT / "tests/env"), str(EXAMPLES / "python")]

import tools  # noqa: E402
from ports import free_port  # noqa: E402
from server import Server  # noqa: E402


class Backend:
    """A backend under test: where it is asked, and what it says about the state of channels."""

    def __init__(self, name, address):
        self.name, self.address, self.said = name, address, []
        self.changed = threading.Condition()

    def say(self, line):
        with self.changed:
            self.said.append(line)
            self.changed.notify_all()

    def wait_for(self, *words, seconds=15):
        """Waits for a line with these words at its beginning."""
        def came():
            return any(line.split()[: len(words)] == list(words) for line in self.said)

        with self.changed:
            assert self.changed.wait_for(came, seconds), f"{words} not in {self.said}"


@contextlib.contextmanager
def process(name, command, port_of_api):
    """A backend that is a program, which says where it is asked."""
    environment = os.environ | {
        "TTL_SECONDS": str(TTL_SECONDS), "GYRE_API": f"http://127.0.0.1:{port_of_api}/api", "GYRE_API_KEY": "dev",
        "SIGNATURE_KEY": "a key",
    }
    running = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        found = re.search(r"127\.0\.0\.1:\d+", running.stdout.readline())
        backend = Backend(name, found.group())
        reader = threading.Thread(target=lambda: [backend.say(line) for line in running.stdout], daemon=True)
        reader.start()
        yield backend
    finally:
        running.terminate()
        running.wait()


def python_http(port):
    return process("http", [sys.executable, str(EXAMPLES / "python/backend.py"), "0"], port)


def go_grpc(port):
    return process("grpc", [str(built_go()), "127.0.0.1:0"], port)


_BUILT = {}


def built_go():
    """The Go example, built as its own text says, with the compiler of `.proto` files that Python has."""
    if "go" not in _BUILT:
        try:
            go = Path(tools.go())
        except tools.Missing as problem:
            pytest.skip(str(problem))
        place = Path(tempfile.mkdtemp(prefix="gyre-backend-"))
        here = place / "deploy/examples/go"
        shutil.copytree(EXAMPLES / "go", here, ignore=shutil.ignore_patterns("bin", "proxy"))
        (place / "proto").symlink_to(ROOT / "proto")
        environment = os.environ | {
            "PROTOC": f"{sys.executable} -m grpc_tools.protoc", "GOWORK": "off", "GOFLAGS": "-mod=readonly",
            "PATH": f"{go.parent}:{os.environ['PATH']}",
        }
        subprocess.run(["sh", str(here / "generate.sh")], env=environment, check=True)
        subprocess.run([str(go), "vet", "."], cwd=here, env=environment, check=True)
        subprocess.run([str(go), "build", "-o", "backend", "."], cwd=here, env=environment, check=True)
        _BUILT["go"] = here / "backend"
        _BUILT["place"] = place
    return _BUILT["go"]


@pytest.fixture(scope="session", autouse=True)
def _no_traces():
    yield
    if "place" in _BUILT:
        shutil.rmtree(_BUILT["place"], ignore_errors=True)


def generated():
    """What a user generates from our `.proto`: messages, and services."""
    if "python" not in _BUILT:
        out = tempfile.TemporaryDirectory(prefix="gyre-backend-")
        arguments = ["protoc", f"-I{ROOT / 'proto'}", f"--python_out={out.name}", f"--grpc_python_out={out.name}"]
        assert protoc.main([*arguments, PROXY]) == 0
        sys.path.insert(0, out.name)
        name = PROXY.removesuffix(".proto").replace("/", ".")
        modules = importlib.import_module(f"{name}_pb2"), importlib.import_module(f"{name}_pb2_grpc")
        _BUILT["python"] = (*modules, out)
    return _BUILT["python"][:2]


def event(message):
    """A request as the example reads it: payloads as JSON."""
    def value(field, given):
        return json.loads(given) if field.type == FieldDescriptor.TYPE_BYTES else given

    fields = {field.name: value(field, given) for field, given in message.ListFields()}
    if "events" in fields:
        fields["events"] = [{"type": one.type, "channel": one.channel, "generation": one.generation}
                            for one in message.events]
    return {"user": ""} | fields


def fill(message, values):
    """Puts what the example answers into a response."""
    message.SetInParent()
    for name, given in values.items():
        field = message.DESCRIPTOR.fields_by_name[name]
        if field.type == FieldDescriptor.TYPE_BYTES:
            setattr(message, name, json.dumps(given).encode())
        elif isinstance(given, list):
            getattr(message, name).extend(given)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and field.message_type.GetOptions().map_entry:
            getattr(message, name).update(given)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            fill(getattr(message, name), given)
        else:
            setattr(message, name, given)
    return message


@contextlib.contextmanager
def python_grpc(port):
    """The Python example behind a server of gRPC."""
    messages, services = generated()
    import backend as example

    example.TTL_SECONDS, example.API = TTL_SECONDS, f"http://127.0.0.1:{port}/api"

    class Service(services.CentrifugoProxyServicer):
        def SubscribeUnidirectional(self, request, context):
            yield messages.StreamSubscribeResponse(subscribe_response=messages.SubscribeResponse())
            for number in range(3):
                publication = messages.Publication(data=json.dumps({"time": number}).encode())
                yield messages.StreamSubscribeResponse(publication=publication)
            while context.is_active() and not ended.wait(0.05):
                pass

        def SubscribeBidirectional(self, requests, context):
            for request in requests:
                answer = messages.StreamSubscribeResponse(publication=request.publication)
                if request.HasField("subscribe_request"):
                    answer = messages.StreamSubscribeResponse(subscribe_response=messages.SubscribeResponse())
                yield answer

    methods = {"Connect": example.connect, "Refresh": example.refresh, "Subscribe": example.subscribe,
               "SubRefresh": example.sub_refresh, "Publish": example.publish, "RPC": example.rpc,
               "NotifyCacheEmpty": example.cache_empty, "NotifyChannelState": example.state}
    for name, answer in methods.items():
        def method(self, request, context, answer=answer, response=getattr(messages, f"{name}Response")):
            return fill(response(), answer(event(request)))

        setattr(Service, name, method)
    ended = threading.Event()
    server = grpc.server(futures.ThreadPoolExecutor(16))
    services.add_CentrifugoProxyServicer_to_server(Service(), server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    backend = Backend("grpc", address)
    printed, example.print = print, lambda *words, **_: backend.say(" ".join(map(str, words)))
    try:
        yield backend
    finally:
        example.print = printed
        ended.set()
        server.stop(1).wait()


KINDS = {"python-http": python_http, "python-grpc": python_grpc, "go-grpc": go_grpc}


def configured(backend):
    """The configuration of the example, with this backend, and with no time to lose."""
    text = (EXAMPLES / f"backend-{backend.name}.json").read_text()
    config = json.loads(re.sub(r"127\.0\.0\.1:300\d", backend.address, text))
    config["log"] = {"level": "warn"}
    config["client"] |= {"presence_update_interval": "300ms", "expired_close_delay": "300ms",
                         "expired_sub_close_delay": "300ms"}
    config["channel"]["state"] = {"vacated_event_delay": "200ms"}
    proxies = [*config["client"]["proxy"].values(), *config["channel"]["proxy"].values(), config["rpc"]["proxy"]]
    for proxy in proxies:
        proxy["timeout"] = "5s"
        proxy.setdefault("http", {})["signature_key"] = "a key"
    return config


@pytest.fixture(scope="module", params=KINDS)
def both(request):
    """A backend and a server that asks it."""
    port = free_port()
    with KINDS[request.param](port) as backend, Server(configured(backend), port) as server:
        yield backend, server
