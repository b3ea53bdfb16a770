#!/usr/bin/env python3
"""Runs the client protocol's cases: what is due has to pass, what `client/not-yet.txt` lists has to fail.

The cases and their runner are described in `client/README.md`; `client/run.py` runs cases without regard to the list.
"""

import argparse
import asyncio
import sys
from pathlib import Path

import aiohttp
from not_yet import NotYet, verdict

HERE = Path(__file__).resolve().parent
CLIENT = HERE / "client"
sys.path.insert(0, str(CLIENT))

from runner import over, report  # noqa: E402
from runner.backend import Backend  # noqa: E402
from runner.server import Launcher  # noqa: E402
from runner.suite import Suite, load, select  # noqa: E402
from runner.wire import compact  # noqa: E402

PORTS = 60
LISTED_JOBS, LISTED_SERVERS = 400, 12


async def run(options, runs, jobs, servers, progress):
    """Runs cases on servers of their own configurations; the outcome is in each run."""
    ports = asyncio.Queue()
    for port in range(options.port_base, options.port_base + PORTS):
        ports.put_nowait(port)
    backend = Backend()
    await backend.start(0)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=False), json_serialize=compact) as http:
        launcher = Launcher(options.server, CLIENT / "configs", ports, backend, http)
        try:
            await Suite(launcher, jobs, servers, False, progress, options.transport).run(runs)
        finally:
            launcher.clean_up()
            await backend.stop()


async def run_listed(options, runs):
    """The same for cases that should fail, many at a time, since they wait for what never comes."""
    try:
        async with asyncio.timeout(options.listed_seconds):
            await run(options, runs, LISTED_JOBS, LISTED_SERVERS, lambda _: None)
    except TimeoutError:
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, metavar="COMMAND", help="e.g. 'gyre -c {config}'")
    parser.add_argument("--only", action="append", metavar="GLOB", help="run only cases whose id matches")
    parser.add_argument("--transport", choices=["websocket", *over.OPTIONS], default="websocket",
                        help="run the cases that are about no transport over this one")
    parser.add_argument("--skip-listed", action="store_true", help="do not run the listed cases")
    parser.add_argument("--listed-seconds", type=float, default=60, help="time for all listed cases (60)")
    parser.add_argument("--port-base", type=int, default=18100, help=f"first of {PORTS} local ports (18100)")
    parser.add_argument("--servers", type=int, default=6, help="servers at the same time (6)")
    parser.add_argument("-j", "--jobs", type=int, default=24, help="cases at the same time (24)")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="results of the due cases for a build server")
    parser.add_argument("-v", "--verbose", action="store_true", help="show transcripts of failed cases")
    options = parser.parse_args()

    not_yet = NotYet(CLIENT / "not-yet.txt")
    everything = select(load(CLIENT / "cases"), None, ["json", "protobuf"])
    runs = select(load(CLIENT / "cases"), options.only, over.FORMATS.get(options.transport, ["json", "protobuf"]))
    if options.transport != "websocket":
        runs = [run for run in runs if over.applies(run.case, options.transport)]
    due = [run for run in runs if not not_yet.lists(run.case["id"], run.name)]
    listed = [run for run in runs if not_yet.lists(run.case["id"], run.name)]

    def progress(run):
        if run.outcome == "failed":
            print(report.failure(run, options.verbose), flush=True)

    asyncio.run(run(options, due, options.jobs, options.servers, progress))
    if listed and not options.skip_listed:
        asyncio.run(run_listed(options, listed))
    if options.junit:
        report.junit(due, options.junit)
    outcomes = {run.name: "unknown" if run.outcome == "skipped" else run.outcome for run in listed}
    names = [(run.case["id"], run.name) for run in everything]
    return verdict(not_yet, names, {run.name: run.outcome for run in due}, outcomes)


if __name__ == "__main__":
    sys.exit(main())
