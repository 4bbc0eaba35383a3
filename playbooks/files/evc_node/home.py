"""Where EVC keeps its things on a node, and the registry logins among them."""

import base64
import fcntl
import json
import os
import sys
import tempfile
from pathlib import Path

HOME = Path(os.environ.get("EVC_NODE_HOME", "/var/lib/evc"))
PROGRAM = HOME / "evc_node.pyz"
DOCKER_CONFIG = HOME / "docker"
CERTS = Path(os.environ.get("EVC_DOCKER_CERTS", "/etc/docker/certs.d"))


def order(arguments):
    """What EVC asks for, as JSON: in the file that is named, else on stdin."""
    return json.loads(Path(arguments[0]).read_text() if arguments else sys.stdin.read())


def replace(path, data, mode=0o600):
    """Make a file anew, whole or not at all; without `mode`, for EVC's user alone."""
    number, draft = tempfile.mkstemp(prefix=path.name + ".", dir=str(path.parent))
    try:
        with open(number, "wb") as file:
            os.fchmod(number, mode)
            file.write(data)
        os.replace(draft, str(path))
    except OSError:
        os.unlink(draft)
        raise


def put(path, data, mode):
    """Make a file what it should be; whether it was another, or none.

    One that is right stays the same file: the agent begins anew with another, and who follows a job
    may still load from the program.
    """
    changed = not _is(path, data, mode)
    if changed:
        replace(path, data, mode)
    return changed


def _is(path, data, mode):
    try:
        found = path.stat()
        ours = (found.st_uid, found.st_mode & 0o777) == (os.getuid(), mode)
        return ours and path.read_bytes() == data
    except OSError:
        return False


def model(name):
    """The folder of a model, in which a swap has its journal."""
    return HOME / "models" / name


def held(lock):
    """Whether a process holds the lock that this file is."""
    try:
        with lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # there is none: nobody ever took it
    return False


def login(host):
    """The login for the registry at HOST:PORT, in the engine's form, or None."""
    try:
        auths = json.loads((DOCKER_CONFIG / "config.json").read_text())["auths"]
        user, password = base64.b64decode(auths[host]["auth"]).decode().split(":", 1)
    except (OSError, ValueError, KeyError):
        return None
    return {"username": user, "password": password, "serveraddress": host}
