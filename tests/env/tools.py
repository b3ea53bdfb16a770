"""What the tests need from outside of this clone, installed once into a cache, by lock file or pinned version.

Nothing here touches the system without need: Debian packages are installed only where we are root, and asked for
otherwise. What cannot be had raises `Missing`, and the suite says SKIPPED with the reason.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODE_MAJOR_MIN = 20
PYTHON_MIN = (3, 11)


class Missing(Exception):
    """A tool or package that cannot be had here."""


def cache():
    """Directory outside of the clone for everything that is installed."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gyre-tests"
    return Path(os.environ.get("GYRE_TESTS_CACHE") or default)


def target_directory():
    """Where cargo builds."""
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()


def run(command, **options):
    """Runs an installer; its output is shown only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise Missing(f"`{' '.join(map(str, command))}` failed:\n{done.stdout[-2000:]}")
    return done.stdout


def debian(package):
    """Installs a Debian package where we may; says what is missing where we may not."""
    if not shutil.which("apt-get"):
        raise Missing(f"{package} is not installed, and this is no Debian")
    if os.geteuid() != 0:
        raise Missing(f"not installed; as root: apt-get install -y --no-install-recommends {package}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", package]
    try:
        run(install, env=environment)
    except Missing:  # a fresh machine has no package lists
        run(["apt-get", "update"], env=environment)
        run(install, env=environment)


def program(name, package=None):
    """Path of a program; its Debian package is installed if it is not there."""
    if not shutil.which(name):
        if package is None:
            raise Missing(f"{name} is not installed")
        debian(package)
    return shutil.which(name)


def _key(*files):
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def once(directory, make):
    """Makes a directory by a function, so that an interrupted one is made again."""
    mark = directory / ".complete"
    if not mark.exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        make(directory)
        mark.touch()
    return directory


def venv(name, requirements):
    """Python of a virtual environment with these requirements (pinned, one file each)."""

    def make(directory):
        if sys.version_info < PYTHON_MIN:
            raise Missing(f"Python {PYTHON_MIN[0]}.{PYTHON_MIN[1]} or newer is needed, this is {sys.version.split()[0]}")
        try:
            run([sys.executable, "-m", "venv", str(directory)])
        except Missing:  # Debian keeps a part of it in a package of its own
            debian("python3-venv")
            run([sys.executable, "-m", "venv", str(directory)])
        run([str(directory / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check",
             "-r", str(requirements)])

    key = hashlib.sha256(f"{sys.version_info[:2]}{_key(requirements)}".encode()).hexdigest()[:12]
    return once(cache() / f"venv-{name}-{key}", make) / "bin/python"


def node_modules(directory):
    """`node_modules` of the packages in a directory's lock file, installed outside of the clone."""
    node = program("node", "nodejs")
    npm = program("npm", "npm")
    major = int(run([node, "--version"]).strip().lstrip("v").split(".")[0])
    if major < NODE_MAJOR_MIN:
        raise Missing(f"Node {NODE_MAJOR_MIN} or newer is needed, this is {major}")
    package, lock = directory / "package.json", directory / "package-lock.json"

    def make(place):
        for file in (package, lock):
            shutil.copy(file, place)
        run([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=place)

    return once(cache() / f"node-{directory.name}-{_key(package, lock)}", make) / "node_modules"


def go():
    """The Go compiler, 1.25 or newer."""
    found = program("go", "golang-go")
    version = run([found, "env", "GOVERSION"]).strip()
    number = version.removeprefix("go").split(".")
    if not (len(number) > 1 and number[0] == "1" and number[1].isdigit() and int(number[1]) >= 25):
        raise Missing(f"Go 1.25 or newer is needed, this is {version}")
    return found
