"""Where EVC keeps its things on a node, and the registry logins among them."""

import base64
import json
import os
from pathlib import Path

HOME = Path(os.environ.get("EVC_NODE_HOME", "/var/lib/evc"))
DOCKER_CONFIG = HOME / "docker"
CERTS = Path(os.environ.get("EVC_DOCKER_CERTS", "/etc/docker/certs.d"))


def login(host):
    """The login for the registry at HOST:PORT, in the engine's form, or None."""
    try:
        auths = json.loads((DOCKER_CONFIG / "config.json").read_text())["auths"]
        user, password = base64.b64decode(auths[host]["auth"]).decode().split(":", 1)
    except (OSError, ValueError, KeyError):
        return None
    return {"username": user, "password": password, "serveraddress": host}
