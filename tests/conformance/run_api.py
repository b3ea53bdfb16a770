#!/usr/bin/env python3
"""Runs the server API's cases: what is due has to pass, what `api/not-yet.txt` lists has to fail.

The cases and their runner are described in `api/README.md`; `api/run.py` runs cases without regard to the list.
"""

import argparse
import asyncio
import contextlib
import io
import sys
from pathlib import Path

from not_yet import NotYet, verdict

HERE = Path(__file__).resolve().parent
API = HERE / "api"
sys.path.insert(0, str(API))

import run as suite  # noqa: E402
from runner import cases as case_files  # noqa: E402
from runner import proto  # noqa: E402

LISTED_JOBS, LISTED_PARALLEL = 12, 200


async def run_listed(options, cases):
    """Runs cases that should fail, many at a time, since they wait for what never comes; shows none of it."""
    quiet = argparse.Namespace(**vars(options) | {"jobs": LISTED_JOBS, "parallel": LISTED_PARALLEL})
    listed = suite.Suite(quiet)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            async with asyncio.timeout(options.listed_seconds):
                await listed.run(case_files.group(cases))
        except TimeoutError:
            pass
    return listed.outcomes


def result(outcome):
    return "failed" if outcome.error else "passed"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, metavar="COMMAND", help="e.g. 'gyre -c {config}'")
    parser.add_argument("--only", action="append", default=[], metavar="GLOB", help="ids or topics")
    parser.add_argument("--skip-listed", action="store_true", help="do not run the listed cases")
    parser.add_argument("--listed-seconds", type=float, default=60, help="time for all listed cases (60)")
    parser.add_argument("--port-base", type=int, default=18200, help="ten ports are used per job (18200)")
    parser.add_argument("--jobs", type=int, default=6, help="servers at the same time (6)")
    parser.add_argument("--parallel", type=int, default=8, help="cases at the same time on one server (8)")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="results of the due cases for a build server")
    parser.add_argument("-v", "--verbose", action="count", default=0)
    options = parser.parse_args()
    options.reference, options.mutate = False, None

    not_yet = NotYet(API / "not-yet.txt")
    everything = case_files.load([API / "cases"], API / "configs.json")
    cases = case_files.load([API / "cases"], API / "configs.json", options.only)
    due = [case for case in cases if not not_yet.lists(case["id"], case["id"])]
    listed = [case for case in cases if not_yet.lists(case["id"], case["id"])]

    proto.load(API / "proto")
    due_suite = suite.Suite(options)
    asyncio.run(due_suite.run(case_files.group(due)))
    outcomes = {case["id"]: "unknown" for case in listed}
    if listed and not options.skip_listed:
        outcomes |= {outcome.case["id"]: result(outcome) for outcome in asyncio.run(run_listed(options, listed))}
    if options.junit:
        suite.write_junit(options.junit, due_suite.outcomes)
    names = [(case["id"], case["id"]) for case in everything]
    return verdict(not_yet, names, {o.case["id"]: result(o) for o in due_suite.outcomes}, outcomes)


if __name__ == "__main__":
    sys.exit(main())
