#!/usr/bin/env python3
"""Runs what README.md and docs/transports.md show with `curl`, and the README's client for Node, against the built server.

Nothing is left out in silence: every example that begins with `curl` is run, and one that is of no known kind fails.
"""

import contextlib
import json
import re
import selectors
import subprocess
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "env"))

import tools  # noqa: E402
from ports import free_port  # noqa: E402
from server import Server  # noqa: E402

ROOT = tools.ROOT
DOCUMENTS = ["README.md", "docs/transports.md"]
CONFIGURATION = ROOT / "deploy/dev/gyre.json"
ADDRESS = "localhost:8000"
SECONDS_MAX = 20


def blocks(document):
    """Indented examples, each on one or more lines."""
    text = (ROOT / document).read_text()
    return [block.strip().replace("\n    ", "\n") for block in re.findall(r"(?m)^(?: {4}.*\n)+", text)]


def examples(document, word):
    return [block for block in blocks(document) if block.startswith(word)]


class World:
    """The server of `make run`, on free ports, and the README's way to publish."""

    def __enter__(self):
        config = json.loads(CONFIGURATION.read_text())
        config["grpc_api"]["port"] = free_port()
        self.server = Server(config)
        self.server.__enter__()
        [self.publish] = [example for example in examples("README.md", "curl") if "/api/publish" in example]
        self.data = json.loads(re.search(r"-d '(.*?)'", self.publish)[1])["data"]
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def command(self, example):
        """The example, with our port."""
        if ADDRESS not in example:
            raise AssertionError(f"an example that is not about {ADDRESS}: {example}")
        return example.replace(ADDRESS, f"127.0.0.1:{self.server.port}")

    def ask(self, example):
        """The answer to an example that ends by itself."""
        options = {"shell": True, "text": True, "timeout": SECONDS_MAX, "stdout": subprocess.PIPE}
        return json.loads(subprocess.run(f"{self.command(example)} -sS", check=True, **options).stdout)

    @contextlib.contextmanager
    def running(self, command, **options):
        """What a command that goes on says: a function for the rest of it, as soon as some part has been said."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, **options)
        said = bytearray()

        def until(part):
            deadline = time.monotonic() + SECONDS_MAX
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                while part.encode() not in said:
                    if not selector.select(deadline - time.monotonic()):
                        raise AssertionError(f"no {part!r} in {bytes(said)!r}")
                    piece = process.stdout.read1()
                    if not piece:
                        raise AssertionError(f"ended without {part!r}: {bytes(said)!r}")
                    said.extend(piece)

        try:
            yield until
        finally:
            process.kill()
            process.wait()


def stream(world, example):
    """A stream says that it is connected, and those that subscribe get what is published."""
    with world.running(["sh", "-c", f"exec {world.command(example)} -sS"]) as until:
        until('"connect":{')
        if "chat" in example:
            world.ask(world.publish)
            until(json.dumps(world.data, separators=(",", ":")))


def call(world, example):
    """A call of the server API has a result that fits."""
    result = world.ask(example)["result"]
    if "/api/publish" in example:
        assert result["offset"] >= 1 and result["epoch"], result
    elif "/api/history" in example:
        world.ask(world.publish)
        assert world.ask(example)["result"]["publications"][-1]["data"] == world.data
    elif "/api/presence" in example:
        subscriber = next(one for one in examples("README.md", "curl") if "uni_http_stream" in one)
        with world.running(["sh", "-c", f"exec {world.command(subscriber)} -sS"]) as until:
            until('"connect":{')
            assert len(world.ask(example)["result"]["presence"]) == 1
    else:
        raise AssertionError(f"a call that nobody checks: {example}")


def client(world, example):
    """The README's client for Node prints what is published."""
    modules = tools.node_modules(ROOT / "tests/sdk/js")
    script = re.search(r"-e '(.*)'$", example, re.S)[1].replace(ADDRESS, f"127.0.0.1:{world.server.port}")
    node = [tools.program("node"), "--input-type=module", "-e", script]
    with world.running(node, cwd=modules.parent) as until:
        deadline = time.monotonic() + SECONDS_MAX
        presence = next(one for one in examples("README.md", "curl") if "/api/presence" in one)
        while not world.ask(presence)["result"]["presence"]:
            assert time.monotonic() < deadline, "nobody has subscribed"
            time.sleep(0.05)
        world.ask(world.publish)
        until(world.data["text"])


def cases():
    for document in DOCUMENTS:
        for example in examples(document, "curl"):
            yield document, example, stream if " -N " in example else call
    for example in examples("README.md", "npm install centrifuge"):
        yield "README.md", example, client


def main():
    passed = failed = 0
    for document, example, check in cases():
        with World() as world:
            try:
                check(world, example)
                passed += 1
            except Exception:
                failed += 1
                print(f"FAIL {document}: {example}", flush=True)
                traceback.print_exc()
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
