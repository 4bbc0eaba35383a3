"""From a first-boot script to a served model, against the same machine registered by address."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

from bench.homes import Home, home
from bench.measure import Result, seconds
from evc.runbooks.lab import logins

RUNS = 5
NODE = "edge01"
CLEAN = (
    "docker ps -aq | xargs -r docker rm -f; docker image prune -af; pkill -u evc; userdel -f evc;"
    " rm -rf /var/lib/evc /etc/docker/certs.d /etc/cron.d/evc-*; true"
)


def bench() -> Result:
    with home(1, 1) as (made, folder):
        made.evc("run", str(made.tiny(folder, "1")), "--on", NODE)
        script, via = folder / "first-boot.sh", _via(made)
        times = []
        for _ in range(RUNS):
            made.on(NODE, "sh", "-c", CLEAN)
            made.evc("node", "enroll", "far", *via, "--to", str(script))
            ours = seconds(lambda: _enrolled(made, script))
            made.evc("node", "remove", "far")
            made.on(NODE, "sh", "-c", CLEAN)
            times.append((ours, seconds(lambda: _added(made))))
            print("  ours {:.1f} s, peer {:.1f} s".format(*times[-1]), file=sys.stderr, flush=True)
    ours = statistics.median(one for one, _ in times)
    peer = statistics.median(one for _, one in times)
    return Result("enroll_to_serving", ours, "s", "node add ADDRESS, deploy", peer, 1.5)


def _via(made: Home) -> list[str]:
    (builder,) = made.nodes("builder01")
    key = str(logins.key_file(made.fleet))
    return ["--via", f"{builder.login_user}@{builder.address}", "--key", key]


def _enrolled(made: Home, script: Path) -> None:
    """The first boot, the acceptance, the deployment."""
    command = ["docker", "exec", "-i", f"evc-{made.fleet.id}-{NODE}", "sh", "-s"]
    subprocess.run(command, input=script.read_bytes(), capture_output=True, check=True)
    made.evc("node", "accept", "far", "--yes")
    made.evc("deploy", "tiny", "--on", "far")


def _added(made: Home) -> None:
    made.evc("node", "add", NODE)
    made.evc("deploy", "tiny", "--on", NODE)
