"""A server of our own, a proxy to cut, and clients of the published SDK. See test_sdk.py."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

ENV = Path(__file__).resolve().parents[2] / "env"
sys.path.insert(0, str(ENV))

from server import Server  # noqa: E402


@pytest.fixture(scope="session")
def server():
    with Server(json.loads((ENV / "sdk.json").read_text())) as running:
        yield running


@pytest.fixture
def run():
    """Runs a test's coroutine, bounded in time."""
    return lambda coroutine: asyncio.run(asyncio.wait_for(coroutine, 20))
