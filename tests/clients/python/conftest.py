import importlib
import sys
from pathlib import Path

import pytest
from grpc_tools import protoc

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import scene as scenes  # noqa: E402


@pytest.fixture(scope="module")
def scene():
    """A server, and user 42 connected to it."""
    with scenes.scene() as both:
        yield both


@pytest.fixture(scope="session")
def generate(tmp_path_factory):
    """Makes the modules that a user generates from one of our `.proto` files: messages, and client."""
    out = tmp_path_factory.mktemp("generated")
    wellknown = Path(protoc.__file__).parent / "_proto"
    sys.path.insert(0, str(out))

    def make(proto):
        status = protoc.main(["protoc", f"-I{scenes.PROTO}", f"-I{wellknown}", f"--python_out={out}",
                              f"--grpc_python_out={out}", proto])
        assert status == 0
        importlib.invalidate_caches()
        name = proto.removesuffix(".proto").replace("/", ".")
        return importlib.import_module(f"{name}_pb2"), importlib.import_module(f"{name}_pb2_grpc")

    return make


@pytest.fixture(scope="session")
def generated(generate):
    """Those of the server API."""
    return generate(scenes.API)
