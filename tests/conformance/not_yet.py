"""The list of cases whose feature is not there yet, and what makes it honest.

A line is a case id, or a glob of ids, optionally with a variant (`topic/name [json]`). `!glob` takes cases off again.
`#` begins a comment. A case that is listed has to fail: when its feature comes, its line goes. A line that matches no
case is an error as well.
"""

from fnmatch import fnmatchcase


class NotYet:
    def __init__(self, path):
        self.path, self.lines = path, []
        for line in path.read_text().splitlines():
            text = line.partition("#")[0].strip()
            if text:
                self.lines.append((text.removeprefix("!"), text.startswith("!")))

    @staticmethod
    def _matches(pattern, case, variant):
        # Brackets name variants; they are not sets of characters.
        pattern = pattern.replace("[", "[[]")
        return fnmatchcase(case, pattern) or fnmatchcase(variant, pattern)

    def lists(self, case, variant):
        """Whether a case is listed; the last line that matches decides. `variant` is its id with format or transport."""
        verdict = False
        for pattern, negated in self.lines:
            if self._matches(pattern, case, variant):
                verdict = not negated
        return verdict

    def unused(self, names):
        """Lines that match none of the (case, variant) pairs."""
        return [
            ("!" if negated else "") + pattern
            for pattern, negated in self.lines
            if not any(self._matches(pattern, *name) for name in names)
        ]


def verdict(not_yet, names, due, listed):
    """Prints what is wrong with the list and the summary; returns the exit status.

    `due` and `listed` map the variants that were run to "passed", "failed" or, for listed ones, "unknown".
    """
    early = sorted(name for name, outcome in listed.items() if outcome == "passed")
    unused = not_yet.unused(names)
    unknown = sum(outcome == "unknown" for outcome in listed.values())
    for name in early:
        print(f"FAIL {name}\n  it passes; take it off {not_yet.path.name}")
    for pattern in unused:
        print(f"FAIL {not_yet.path.name}\n  no case is matched by: {pattern}")
    passed = sum(outcome == "passed" for outcome in due.values())
    failed = len(due) - passed + len(early) + len(unused)
    waiting = len(listed) - len(early)
    if unknown:
        print(f"{unknown} of the {waiting} cases that are not yet due had no result in time")
    print(f"{passed} passed, {failed} failed" + (f", {waiting} not yet due" if waiting else ""))
    return 1 if failed else 0
