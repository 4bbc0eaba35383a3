"""A large image through a node's own SSH connection, against the same node pulling directly."""

from __future__ import annotations

import json
import os
import statistics
import sys

from bench.homes import Home, home
from bench.measure import Result, seconds
from evc.runbooks import lending, registry

RUNS = 3
NODE = "edge01"
BYTES = 200_000_000
# Docker looks a login up by the address: the node's own is for the other one too.
LOGIN = """
import json, pathlib, sys
known = json.loads(pathlib.Path("/var/lib/evc/docker/config.json").read_text())["auths"]
folder = pathlib.Path("/run/bench")
folder.mkdir(mode=0o700, exist_ok=True)
(folder / "config.json").write_text(json.dumps({"auths": {sys.argv[1]: known[sys.argv[2]]}}))
"""


def bench() -> Result:
    with home(1, 1) as (made, folder):
        project = made.tiny(folder, "1")
        (project / "blob").write_bytes(os.urandom(BYTES))
        made.evc("run", str(project), "--on", NODE)
        made.on(NODE, "sh", "-c", "docker ps -aq | xargs -r docker rm -f")
        direct = registry.load(made.fleet).reader
        times = []
        with lending.lent(made.fleet, made.nodes(NODE), registry.load(made.fleet).place) as ports:
            through = f"127.0.0.1:{ports[NODE]}"
            for _ in range(RUNS):
                times.append((_pull(made, through, direct), _pull(made, direct, direct)))
                print("  ours {:.1f} s, peer {:.1f} s".format(*times[-1]), file=sys.stderr)
    ours = statistics.median(one for one, _ in times)
    peer = statistics.median(one for _, one in times)
    return Result("pull_through_ssh", ours, "s", "the same pull, direct", peer, 1.5)


def _pull(made: Home, place: str, login: str) -> float:
    """Seconds of a pull from `place`, with the login for `login`; nothing of it is there before."""
    digest = json.loads(made.evc("model", "list", "-o", "json"))[0]["images"]["amd64"]
    made.on(NODE, "docker", "image", "prune", "-af")
    made.on(NODE, "python3", "-c", LOGIN, place, login)
    command = ["env", "DOCKER_CONFIG=/run/bench", "docker", "pull", "-q"]
    image = f"{place}/x86_64-model@{digest}"
    return seconds(lambda: made.on(NODE, *command, image))
