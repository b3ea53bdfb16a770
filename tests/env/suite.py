#!/usr/bin/env python3
"""Runs the project's checks and tests as named steps, counts what they say, and sums it up.

    suite.py check              formatting, tidy rules, lints, API documentation
    suite.py test-fast          the workspace's own tests; nothing to install
    suite.py test               these, then conformance and the published SDKs against the built binary
    suite.py nightly            a thousand random schedules of faults, faults on other servers, ten thousand seeds of the simulation
    suite.py list               names of all steps
    suite.py NAME...            single steps

Every step ends in a line `== NAME: N passed, N failed`. A step whose tools cannot be had here is SKIPPED with the
reason; on a build server (GYRE_CI=1) that is a failure unless `may-skip.txt` names the step. Nothing is retried.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import tools
from tools import ROOT, Missing

HERE = Path(__file__).resolve().parent
PYTHON = sys.executable


def last_pair(output):
    """`N passed, N failed`, as the conformance runners say it."""
    found = re.findall(r"^(\d+) passed, (\d+) failed", output, re.M)
    return tuple(map(int, found[-1])) if found else (0, 0)


def cargo_counts(output):
    found = re.findall(r"^test result: \w+\. (\d+) passed; (\d+) failed", output, re.M)
    return sum(int(p) for p, _ in found), sum(int(f) for _, f in found)


def node_counts(output):
    def number(word):
        found = re.findall(rf"^(?:ℹ|#) {word} (\d+)", output, re.M)
        return int(found[-1]) if found else 0

    return number("pass"), number("fail") + number("cancelled")


def pytest_counts(output):
    def number(word):
        found = re.findall(rf"(\d+) {word}", output.strip().rsplit("\n", 1)[-1])
        return int(found[-1]) if found else 0

    return number("passed"), number("failed") + number("error")


def unittest_counts(output):
    ran = sum(int(n) for n in re.findall(r"^Ran (\d+) test", output, re.M))
    bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", output))
    return ran - bad, bad


def go_counts(output):
    return len(re.findall(r"^--- PASS: ", output, re.M)), len(re.findall(r"^--- FAIL: ", output, re.M))


def server():
    """The binary under test: GYRE_SERVER is a command with {config}; by default what cargo built."""
    return os.environ.get("GYRE_SERVER") or f"{tools.target_directory()}/debug/gyre -c {{config}}"


def cargo(*arguments):
    return ["cargo", *arguments]


def scripts():
    """The tests of the Python that runs the tests."""
    discover = f"{PYTHON} -m unittest discover -s"
    return ["sh", "-c", f"{discover} tests/env && {discover} tests/conformance"]


def client_conformance():
    python = tools.venv("conformance-client", ROOT / "tests/conformance/client/requirements.txt")
    return [python, "tests/conformance/run_client.py", "--server", server()]


def over(transport):
    """The cases that are about no transport, over another one than WebSocket."""

    def command():
        return [*client_conformance(), "--transport", transport, "--skip-listed"]

    return command


def api_conformance():
    python = tools.venv("conformance-api", ROOT / "tests/conformance/api/requirements.txt")
    return [python, "tests/conformance/run_api.py", "--server", server()]


def sdk_js():
    modules = tools.node_modules(ROOT / "tests/sdk/js")
    os.environ["GYRE_NODE_MODULES"] = str(modules)
    files = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests/sdk/js").glob("*.test.mjs"))
    return [tools.program("node"), "--test", "--test-reporter=spec", *files]


def sdk_python():
    python = tools.venv("sdk-python", ROOT / "tests/sdk/python/requirements.txt")
    return [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/sdk/python"]


def sdk_go():
    tools.go()
    return [PYTHON, "tests/sdk/go/run.py"]


def clients_python():
    python = tools.venv("clients-python", ROOT / "tests/clients/python/requirements.txt")
    return [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/clients/python"]


def clients_go():
    tools.go()
    python = tools.venv("clients-python", ROOT / "tests/clients/python/requirements.txt")
    return [python, "tests/clients/go/run.py"]


def backends():
    python = tools.venv("backends", ROOT / "tests/backends/requirements.txt")
    return [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/backends"]


def autobahn():
    script = str(ROOT / "tests/autobahn/run.sh")
    tools.run([script, "--prepare"])
    return [script]


def postgres():
    import postgres as environment

    environment.installed()
    test = cargo("test", "--package", "gyre-store", "--test", "it", "--", "--ignored", "postgres::")
    return [PYTHON, "tests/env/postgres.py", *test]


def redis():
    import redis as environment

    environment.installed()
    packages = ("--package", "gyre-engine-redis", "--package", "gyre-engines")
    return cargo("test", *packages, "--test", "it", "--", "--ignored", "--test-threads", "2")


def redis_others():
    """What says most about a server, with Redis 8 and with Valkey."""
    import redis_servers

    redis_servers.installed()
    tests = ["conformance::", "sentinels::", "costs::", "faults::a_primary_is_killed_whose_replica_is_behind"]
    test = cargo("test", "--package", "gyre-engine-redis", "--test", "it", "--", "--ignored", "--test-threads", "3")
    return [PYTHON, "tests/env/redis_servers.py", *test, *tests]


def e2e(*arguments):
    """Tests with several processes; `arguments` are for their runner."""

    def command():
        import redis as environment

        environment.installed()
        os.environ["GYRE_E2E_BINARIES"] = str(tools.target_directory() / "debug")
        try:  # to cut ways between processes, and for published SDKs; tests that lack their own say that they are skipped
            tools.program("nft", "nftables")
            tools.program("ip", "iproute2")
            os.environ["GYRE_NODE_MODULES"] = str(tools.node_modules(ROOT / "tests/sdk/js"))
            os.environ["GYRE_NODE"] = tools.program("node")
            os.environ["GYRE_SDK_PYTHON"] = str(tools.venv("sdk-python", ROOT / "tests/sdk/python/requirements.txt"))
        except Missing as problem:
            print(problem)
        test = cargo("test", "--package", "gyre-e2e", "--test", "it", "--", "--ignored", "--nocapture")
        return [*test, "--test-threads", "1", *arguments]

    return command


def e2e_others():
    """Faults and partitions, with Redis 8 and with Valkey."""
    import redis_servers

    redis_servers.installed()
    return [PYTHON, "tests/env/redis_servers.py", *e2e("faults::", "partitions::")()]


def schedules():
    """Random schedules of faults: a thousand, or GYRE_E2E_SCHEDULES; the first one has the seed GYRE_E2E_SEED."""
    os.environ.setdefault("GYRE_E2E_SCHEDULES", "1000")
    return e2e("schedules::")()


def simulation():
    os.environ.setdefault("GYRE_SIM_SEEDS", "10000")
    return cargo("test", "--package", "gyre-sim")


def on_redis(conformance, *options):
    """A conformance run against servers that share a Redis, each with a prefix of its own."""

    def command():
        import redis as environment

        environment.installed()
        *run, server = conformance()
        return [PYTHON, "tests/env/redis.py", *options, *run, f"{HERE / 'fresh.sh'} {server}"]

    return command


def nginx():
    tools.program("nginx", "nginx")
    python = tools.venv("clients-python", ROOT / "tests/clients/python/requirements.txt")
    return [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/nginx"]


def tls():
    python = tools.venv("conformance-client", ROOT / "tests/conformance/client/requirements.txt")
    return [python, "tests/tls/run.py"]


def readme():
    tools.program("curl", "curl")
    tools.node_modules(ROOT / "tests/sdk/js")
    return [PYTHON, "tests/readme/run.py"]


def acme():
    import pebble

    pebble.installed()
    return [PYTHON, "tests/acme/run.py"]


# name: (command or function that returns it, how to count; None counts the step itself)
STEPS = {
    "format": (cargo("fmt", "--all", "--check"), None),
    "tidy": (cargo("test", "--workspace", "--test", "layering", "--test", "source", "--test", "documents"), cargo_counts),
    "lints": (cargo("clippy", "--workspace", "--all-targets", "--", "-D", "warnings"), None),
    "docs": (cargo("doc", "--workspace", "--no-deps"), None),
    "build": (cargo("build", "--workspace"), None),
    "rust": (cargo("test", "--workspace", "--no-fail-fast"), cargo_counts),
    "scripts": (scripts, unittest_counts),
    "autobahn": (autobahn, last_pair),
    "postgres": (postgres, cargo_counts),
    "redis": (redis, cargo_counts),
    "redis-others": (redis_others, cargo_counts),
    "acme": (acme, last_pair),
    "nginx": (nginx, pytest_counts),
    "readme": (readme, last_pair),
    "tls": (tls, last_pair),
    "e2e": (e2e(), cargo_counts),
    "e2e-others": (e2e_others, cargo_counts),
    "schedules": (schedules, cargo_counts),
    "simulation": (simulation, cargo_counts),
    "conformance-client": (client_conformance, last_pair),
    "conformance-http-stream": (over("http_stream"), last_pair),
    "conformance-sse": (over("sse"), last_pair),
    "conformance-grpc": (over("grpc"), last_pair),
    "conformance-ws-h2": (over("ws-h2"), last_pair),
    "conformance-webtransport": (over("webtransport"), last_pair),
    "conformance-api": (api_conformance, last_pair),
    "conformance-client-redis": (on_redis(client_conformance), last_pair),
    "conformance-api-redis": (on_redis(api_conformance), last_pair),
    "conformance-client-cluster": (on_redis(client_conformance, "--cluster"), last_pair),
    "conformance-api-cluster": (on_redis(api_conformance, "--cluster"), last_pair),
    "sdk-js": (sdk_js, node_counts),
    "sdk-python": (sdk_python, pytest_counts),
    "sdk-go": (sdk_go, go_counts),
    "clients-python": (clients_python, pytest_counts),
    "clients-go": (clients_go, go_counts),
    "backends": (backends, pytest_counts),
}
FAST = ["rust", "scripts"]
GROUPS = {
    "check": ["format", "tidy", "lints", "docs"],
    "test-fast": FAST,
    "nightly": ["build", "schedules", "e2e-others", "simulation"],
    "test": [*FAST, "build", "autobahn", "postgres", "redis", "redis-others", "e2e", "acme", "nginx", "readme", "tls",
             "conformance-client", "conformance-client-redis", "conformance-api-redis", "conformance-client-cluster",
             "conformance-api-cluster", "conformance-http-stream", "conformance-sse", "conformance-grpc", "conformance-ws-h2",
             "conformance-webtransport", "conformance-api", "sdk-js", "sdk-python", "sdk-go", "clients-python", "clients-go",
             "backends"],
}


def stream(command):
    """Runs a command from the root, shows its output as it comes, and returns (status, output)."""
    environment = os.environ | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "RUSTDOCFLAGS": "-D warnings",
        "CARGO_TERM_COLOR": "never",
        "GYRE_SERVER": server(),
    }
    process = subprocess.Popen(
        list(map(str, command)), cwd=ROOT, env=environment, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            print(line, end="", flush=True)
        return process.wait(), "".join(lines)
    finally:
        # A step that was interrupted takes along what it started.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def judge(status, output, count):
    """(passed, failed) of a step that ran; an exit status that does not fit the counts is a failure."""
    if count is None:
        return (1, 0) if status == 0 else (0, 1)
    passed, failed = count(output)
    if failed == 0 and (status != 0 or passed == 0):
        failed = 1
    return passed, failed


def may_skip(name):
    lines = (HERE / "may-skip.txt").read_text().splitlines()
    return any(line.partition(":")[0].strip() == name for line in lines if not line.startswith("#"))


def step(name):
    """Runs a step and returns (passed, failed, skipped)."""
    print(f"\n== {name}", flush=True)
    command, count = STEPS[name]
    started = time.monotonic()
    try:
        status, output = stream(command() if callable(command) else command)
    except (Missing, FileNotFoundError) as problem:
        excused = not os.environ.get("GYRE_CI") or may_skip(name)
        print(f"== {name}: SKIPPED{'' if excused else ' (and it must not be)'}: {problem}", flush=True)
        return (0, 0, 1) if excused else (0, 1, 0)
    passed, failed = judge(status, output, count)
    print(f"== {name}: {passed} passed, {failed} failed, {time.monotonic() - started:.0f} s", flush=True)
    return passed, failed, 0


def run(names):
    """Runs steps in order and returns one line a step for the summary. Tests without a binary would all fail alike."""
    results = []
    for name in names:
        result = step(name)
        results.append((name, *result))
        if name == "build" and result[1]:
            break
    return results


def summary(results):
    """What a person reads last; true when nothing failed."""
    passed, failed, skipped = (sum(result[column] for result in results) for column in (1, 2, 3))
    print()
    for name, _, bad, missing in results:
        if bad:
            print(f"FAILED   {name}    again: python3 tests/env/suite.py {name}")
        if missing:
            print(f"SKIPPED  {name}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""), flush=True)
    return failed == 0


def remembered(path):
    """Results of earlier calls that share a file (GYRE_RESULTS)."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [(name, int(p), int(f), int(s)) for name, p, f, s in (line.split() for line in lines)]


def main():
    words = sys.argv[1:]
    if words == ["list"]:
        print("\n".join(STEPS))
        return 0
    shared = os.environ.get("GYRE_RESULTS")
    if words == ["summary"] and shared:
        return 0 if summary(remembered(Path(shared))) else 1
    names = [name for word in words for name in GROUPS.get(word, [word])]
    unknown = [name for name in names if name not in STEPS]
    if unknown or not names:
        print(__doc__.strip() + (f"\n\nunknown: {' '.join(unknown)}" if unknown else ""), file=sys.stderr)
        return 2
    results = run(names)
    if shared:
        with open(shared, "a", encoding="utf-8") as file:
            file.writelines(" ".join(map(str, result)) + "\n" for result in results)
    return 0 if summary(results) else 1


if __name__ == "__main__":
    sys.exit(main())
