"""Tests of the list itself: `python3 -m unittest discover -s tests/conformance`."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

from not_yet import NotYet, verdict


class NotYetTest(unittest.TestCase):
    def list_of(self, text):
        directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (directory / "not-yet.txt").write_text(text)
        return NotYet(directory / "not-yet.txt")

    def judge(self, text, names, due, listed):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = verdict(self.list_of(text), names, due, listed)
        return status, output.getvalue()

    def test_the_last_line_that_matches_decides(self):
        not_yet = self.list_of("# maps\nmap/*\n!map/plain  # it is there\nping/a [json]\n")
        self.assertTrue(not_yet.lists("map/paged", "map/paged [json]"))
        self.assertFalse(not_yet.lists("map/plain", "map/plain [json]"))
        self.assertTrue(not_yet.lists("ping/a", "ping/a [json]"))
        self.assertFalse(not_yet.lists("ping/a", "ping/a [protobuf]"))

    def test_a_listed_case_that_passes_is_a_failure(self):
        status, output = self.judge("a\n", [("a", "a"), ("b", "b")], {"b": "passed"}, {"a": "passed"})
        self.assertEqual(status, 1)
        self.assertIn("FAIL a\n  it passes; take it off", output)
        self.assertTrue(output.endswith("1 passed, 1 failed\n"), output)

    def test_a_due_case_that_fails_is_a_failure(self):
        status, output = self.judge("a\n", [("a", "a"), ("b", "b")], {"b": "failed"}, {"a": "failed"})
        self.assertEqual(status, 1)
        self.assertTrue(output.endswith("0 passed, 1 failed, 1 not yet due\n"), output)

    def test_a_line_without_a_case_is_a_failure(self):
        status, output = self.judge("gone/*\n", [("b", "b")], {"b": "passed"}, {})
        self.assertEqual(status, 1)
        self.assertIn("no case is matched by: gone/*", output)

    def test_all_is_well(self):
        status, output = self.judge("a\n", [("a", "a"), ("b", "b")], {"b": "passed"}, {"a": "failed"})
        self.assertEqual(status, 0)
        self.assertTrue(output.endswith("1 passed, 0 failed, 1 not yet due\n"), output)


if __name__ == "__main__":
    unittest.main()
