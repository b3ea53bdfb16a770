"""Tests of the counting: a step that did nothing, or died, is never a success."""

import unittest

import suite


class Counts(unittest.TestCase):
    def test_cargo_sums_all_binaries(self):
        output = "test result: ok. 3 passed; 0 failed; 1 ignored\nx\ntest result: FAILED. 2 passed; 1 failed; 0 ignored\n"
        self.assertEqual(suite.cargo_counts(output), (5, 1))

    def test_conformance_counts_the_last_line(self):
        self.assertEqual(suite.last_pair("1 passed, 2 failed\n9 passed, 1 failed, 3 not yet due\n"), (9, 1))

    def test_node_counts_what_was_cancelled_as_failed(self):
        self.assertEqual(suite.node_counts("ℹ tests 4\nℹ pass 2\nℹ fail 1\nℹ cancelled 1\n"), (2, 2))

    def test_pytest_counts_errors_as_failed(self):
        self.assertEqual(suite.pytest_counts("noise 7 passed\n2 failed, 5 passed, 1 error in 3.21s\n"), (5, 3))

    def test_unittest_takes_failures_off(self):
        self.assertEqual(suite.unittest_counts("Ran 5 tests in 0.1s\nFAILED (failures=1, errors=1)\n"), (3, 2))

    def test_go_counts_top_level_tests(self):
        self.assertEqual(suite.go_counts("--- PASS: TestA (0s)\n    --- PASS: TestA/x\n--- FAIL: TestB (0s)\n"), (1, 1))


class Judged(unittest.TestCase):
    def test_a_bad_status_is_a_failure_whatever_was_counted(self):
        self.assertEqual(suite.judge(101, "test result: ok. 3 passed; 0 failed", suite.cargo_counts), (3, 1))

    def test_running_nothing_is_a_failure(self):
        self.assertEqual(suite.judge(0, "", suite.cargo_counts), (0, 1))

    def test_a_step_without_counts_counts_itself(self):
        self.assertEqual(suite.judge(0, "", None), (1, 0))
        self.assertEqual(suite.judge(1, "", None), (0, 1))


if __name__ == "__main__":
    unittest.main()
