"""The main job against what the same tools do with less around them."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.homes import Home, home
from bench.measure import Result, paired, run, seconds
from evc.pure.inventory import Node
from evc.runbooks import plays, registry
from evc.runbooks.registry import check

NOOP_RUNS = 7
DEPLOY_RUNS = 5
SLACK_BYTES = 16 * 1024
# As often as EVC's own program looks.
HEALTHY = """
import time, urllib.request
while True:
    try:
        urllib.request.urlopen("http://127.0.0.1:8000/health", timeout=5)
        break
    except OSError:
        time.sleep(0.2)
"""
EXAMPLE = Path(__file__).parents[1] / "examples" / "face-detect"


def rerun_noop() -> Result:
    """A second `evc run` on 3 nodes against `ansible all -m ping` on the same nodes."""
    with home(3, 1) as (made, folder):
        project = str(made.tiny(folder, "1"))
        made.evc("run", project)
        ping = _ping(made, folder)
        ours, peer = paired(lambda: made.evc("run", project), ping, NOOP_RUNS)
    return Result("rerun_noop", ours, "s", "ansible all -m ping", peer, 3.0)


def _ping(made: Home, folder: Path) -> object:
    """`ansible all -m ping` as its users run it: its own defaults, EVC's key and host keys."""
    lines = [
        f"{node.name} ansible_host={node.address} ansible_port={node.port} ansible_user=evc"
        f" ansible_ssh_private_key_file={made.fleet.ssh_key}"
        for node in made.nodes("lab")
    ]
    inventory = folder / "ping.ini"
    inventory.write_text("\n".join(lines) + "\n")
    ansible = str(Path(sys.executable).with_name("ansible"))
    options = f"-o UserKnownHostsFile={made.fleet.known_hosts}"
    command = [ansible, "all", "-i", str(inventory), "-m", "ping", f"--ssh-common-args={options}"]
    return lambda: run(command, env={**os.environ, "HOME": str(folder)})


def deploy_vs_floor() -> Result:
    """From command to healthy with no layer on 3 nodes, against plain parallel SSH and Docker."""
    with home(3, 1) as (made, _):
        made.evc("run", str(EXAMPLE))
        image, config = _deployed(made)
        times = []
        for _ in range(DEPLOY_RUNS):
            _clean(made, image)
            ours = seconds(lambda: made.evc("deploy", "face-detect", "--on", "lab"))
            _clean(made, image)
            times.append((ours, seconds(lambda: _floor(made, image, config))))
            print("  ours {:.1f} s, peer {:.1f} s".format(*times[-1]), file=sys.stderr, flush=True)
    ours = statistics.median(one for one, _ in times)
    peer = statistics.median(one for _, one in times)
    return Result("deploy_vs_floor", ours, "s", "parallel ssh docker pull && run", peer, 1.5)


def _deployed(made: Home) -> tuple[str, list[str]]:
    """The image that runs, and the same container as flags of `docker run`."""
    ids = made.on("edge01", "docker", "ps", "-q", "--filter", "label=evc.model").split()
    (found,) = json.loads(made.on("edge01", "docker", "inspect", *ids))
    digest = found["Config"]["Labels"]["evc.digest"]
    image = f"{registry.load(made.fleet).reader}/x86_64-model@{digest}"
    flags = [
        *("--init", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--user", "10001:10001"),
        *("--security-opt", "no-new-privileges", "--pids-limit", "512", "--memory", "512m"),
        *("--log-driver", "local", "-p", "8000:8000", "-e", "HOME=/tmp", "--name", "floor"),
    ]
    return image, [*flags, image, *found["Config"]["Cmd"]]


def _clean(made: Home, image: str) -> None:
    """No container and no layer of the model on any node."""
    for node in made.nodes("lab"):
        script = "docker ps -aq | xargs -r docker rm -f; docker image prune -af"
        made.on(node.name, "sh", "-c", script)
        assert image.split("@")[1] not in made.on(node.name, "docker", "images", "--digests")


def _floor(made: Home, image: str, config: list[str]) -> None:
    """`docker pull && docker run` over SSH on all nodes at once, then wait for health."""

    def one(node: Node) -> None:
        login = f"DOCKER_CONFIG={plays.HOME}/docker"
        run_it = f"docker run -d {shlex.join(config)}"
        script = f"{login} docker pull -q {image} && {run_it} && python3 -c {shlex.quote(HEALTHY)}"
        target = plays.target(made.fleet, node)
        ssh = ["ssh", "-i", str(target.key), "-p", str(target.port)]
        ssh += ["-o", f"UserKnownHostsFile={target.known_hosts}", f"evc@{target.address}"]
        run([*ssh, script])

    with ThreadPoolExecutor() as pool:
        list(pool.map(one, made.nodes("lab")))


def code_change_bytes() -> Result:
    """Blob bytes that a one-line code edit moves, by the registry's own log, on 3 nodes."""
    with home(3, 1) as (made, folder):
        project = made.tiny(folder, "1")
        made.evc("run", str(project))
        since = int(time.time())
        (project / "app.py").write_text((project / "app.py").read_text() + "# one line\n")
        made.evc("run", str(project))
        pushed, pulled = _moved(made, since)
        layer, config = _changed(made)
    allowed = (layer + config + SLACK_BYTES) * 4  # pushed once, pulled once by each of 3 nodes
    peer = "(changed layer + config + 16 KB) × 4"
    return Result("code_change_bytes", pushed + pulled, "B", peer, allowed, 1.0)


def _moved(made: Home, since: int) -> tuple[int, int]:
    """Blob bytes pushed to the writer and pulled from the reader since a time."""
    writer, reader = (_log(made, side, since) for side in ("writer", "reader"))
    states = re.findall(r'"PUT /v2/\S+?_state=([^&"\s]+)\S* HTTP/[\d.]+" 201', writer)
    pulled = re.findall(r'"GET /v2/\S+/blobs/\S+ HTTP/[\d.]+" 200 (\d+)', reader)
    return sum(map(_offset, states)), sum(map(int, pulled))


def _offset(state: str) -> int:
    """The bytes of an upload: registry's `_state` is a 32-byte HMAC and JSON, in base64."""
    text = state.replace("%3D", "=")
    return int(json.loads(base64.urlsafe_b64decode(text)[32:])["Offset"])


def _log(made: Home, side: str, since: int) -> str:
    name = f"evc-{made.fleet.id}-registry-{side}"
    command = ["docker", "logs", "--since", str(since), name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def _changed(made: Home) -> tuple[int, int]:
    """Compressed bytes of the newest release's last layer, and of its config."""
    releases = json.loads(made.evc("model", "list", "-o", "json"))
    digest = releases[0]["images"]["amd64"]
    with check.client(registry.load(made.fleet), "reader") as client:
        manifest = client.manifest("x86_64-model", digest)
        config = manifest.config.size if manifest.config else 0
    return manifest.layers[-1].size, config
