"""Judges a report of the suite: verdict.py REPORT. Exit code 1 if a case failed or none was run."""
from __future__ import print_function

import io
import json
import os
import sys

ACCEPTED = {"OK", "NON-STRICT", "INFORMATIONAL"}

# Offers of compression that insist on a small window of the server. We decline them, because then a
# compressed message could not be shared between receivers, and the suite finds nothing to test.
DECLINED = ("13.3.", "13.5.")


def is_accepted(case, outcome):
    return outcome in ACCEPTED or (outcome == "UNIMPLEMENTED" and case.startswith(DECLINED))


def main(report):
    with io.open(os.path.join(report, "index.json"), encoding="utf-8") as index:
        cases = json.load(index).get("gyre", {})
    failed = 0
    counts = {}
    for case in sorted(cases, key=lambda name: [int(part) for part in name.split(".")]):
        result = cases[case]
        outcome = result["behavior"]
        counts[outcome] = counts.get(outcome, 0) + 1
        if not (is_accepted(case, outcome) and is_accepted(case, result["behaviorClose"])):
            failed += 1
            print(case, outcome, "close:", result["behaviorClose"], result["reportfile"])
    summary = ", ".join("{} {}".format(counts[name], name) for name in sorted(counts))
    print("{} cases: {}".format(len(cases), summary))
    print("{} passed, {} failed".format(len(cases) - failed, failed))
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
