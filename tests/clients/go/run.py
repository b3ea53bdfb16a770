#!/usr/bin/env python3
"""Generates a Go client from our `.proto` and runs its tests against the server.

Run with the Python of `../python/requirements.txt`, which brings the compiler of `.proto` files; its plugins for Go come
from the module proxy, at the versions of `go.mod`. Nothing is written into the clone.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import scene as scenes  # noqa: E402
import tools  # noqa: E402

PLUGINS = {
    "protoc-gen-go": "google.golang.org/protobuf/cmd/protoc-gen-go",
    "protoc-gen-go-grpc": "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
}
PACKAGES = {
    scenes.API: "gyre.test/clients/api",
    "centrifugal/centrifugo/unistream/unistream.proto": "gyre.test/clients/unistream",
    "gyre/client/v1/client.proto": "gyre.test/clients/client",
}


def generate(go, module, environment):
    """Makes the packages of the module, one of each `.proto`."""
    arguments = [f"-I{scenes.PROTO}"]
    for name, source in PLUGINS.items():
        plugin = module / "bin" / name
        subprocess.run([go, "build", "-o", plugin, source], cwd=module, env=environment, check=True)
        kind = name.removeprefix("protoc-gen-")
        arguments += [f"--plugin={name}={plugin}", f"--{kind}_out={module}", f"--{kind}_opt=module=gyre.test/clients",
                      *(f"--{kind}_opt=M{proto}={package}" for proto, package in PACKAGES.items())]
    for proto in PACKAGES:
        if protoc.main(["protoc", *arguments, proto]) != 0:
            raise SystemExit(f"{proto} was not compiled")


def main():
    go = tools.go()
    environment = os.environ | {"GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    with tempfile.TemporaryDirectory(prefix="gyre-clients-") as directory:
        module = Path(directory)
        for file in ("go.mod", "go.sum", "calls_test.go", "streams_test.go"):
            shutil.copy(HERE / file, module)
        generate(go, module, environment)
        test = [go, "test", "-count=1", "-v", "-timeout=120s", "./..."]
        subprocess.run([*test, "-run=^$"], cwd=module, env=environment, check=True, stdout=subprocess.DEVNULL)
        with scenes.scene() as (server, user), scenes.Server(scenes.streams_config()) as streams:
            calls = [call | {"answer": scenes.expected(call)} for call in scenes.calls(user.client)]
            (module / "calls.json").write_text(json.dumps(calls))
            environment |= {
                "GYRE_GRPC": f"127.0.0.1:{server.config['grpc_api']['port']}",
                "GYRE_GRPC_KEY": scenes.GRPC_KEY,
                "GYRE_STREAMS": f"127.0.0.1:{streams.config['uni_grpc']['port']}",
                "GYRE_STREAMS_API": f"{streams.url}/api",
                "GYRE_STREAMS_KEY": scenes.HTTP_KEY,
                "GYRE_STREAMS_TOKEN": streams.token(sub="go"),
                "GYRE_CALLS": str(module / "calls.json"),
            }
            return subprocess.run(test, cwd=module, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
