"""Starts the suite that lies in a directory: suite.py DIRECTORY CASES. For Python 2.7."""
import site
import sys

directory, cases = sys.argv[1:]
site.addsitedir(directory)
sys.path.insert(0, directory)
sys.argv = ["wstest", "-m", "fuzzingclient", "-s", cases]

from autobahntestsuite import wstest  # noqa: E402  (found only after addsitedir)

wstest.run()
