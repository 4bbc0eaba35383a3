"""One fleet for the tests that share it: a lab of a builder and three edge nodes, all real."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.fleet import Fleet
from evc.runbooks import base_images
from evc.runbooks.init import init
from evc.runbooks.lab import image as lab_image
from tests import forked

# Helpers whose failed assertions say what they compared, as those of a test do.
pytest.register_assert_rewrite("loggers", "sentinels")

PROJECTS = Path(__file__).parent / "projects"
# The base of most releases in tests is Python and little else: nodes pull it hundreds of times.
SMALL = """FROM {python} AS whole
RUN cd /usr/lib/python3.11 \\
 && rm -r *2to3 asyncio distutils multiprocessing pydoc_data test unittest xml xmlrpc \\
 && cd lib-dynload && rm _codecs_* _curses* _dbm.* _hashlib.* _sqlite3.* _ssl.* nis.*
RUN programs="/bin/sh /bin/cat /bin/ls /usr/bin/seq /usr/bin/tail /usr/bin/python3" \\
 && libraries=$(ldd $programs /usr/lib/python3.11/lib-dynload/*.so | grep -o ' /lib[^ ]*') \\
 && mkdir -p /small/tmp && chmod 1777 /small/tmp \\
 && cp -L --parents $programs $libraries /lib64/ld-* /etc/passwd /etc/group /small \\
 && cp -a --parents /usr/lib/python3.11 /small
FROM scratch
COPY --from=whole /small /
"""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MODELS = """
until found=$(ids=$(docker ps -aq --filter "$1") && [ -z "$ids" ] || docker inspect $ids); do
    [ $((looks += 1)) -lt 20 ] || exit 1
done
echo "${found:-[]}"
"""


@dataclass(frozen=True)
class Home:
    """A fleet folder with the real CLI, and the lab's nodes seen from outside EVC."""

    fleet: Fleet
    engine: docker.DockerClient

    def evc(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = forked.run(["-C", str(self.fleet.root), *words], 540)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.evc(*words, "-o", "json", code=code).stdout)

    def register(self) -> None:
        """Every node that is in the inventory and not registered, in one play."""
        self.evc("node", "import", str(self.fleet.inventory_file))

    def import_small(self) -> None:
        """Into the registry that the fleet has now, as `small:1`."""
        self.evc("registry", "import", small(), "--as", "small:1")

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with store.opened(self.fleet.database, fleets.share() / "db") as opened:
            return opened.rows(sql)

    def container(self, node: str) -> Any:
        """The lab's container that is the node."""
        return self.engine.containers.get(f"evc-{self.fleet.id}-{node}")

    def on(self, node: str, *command: str, user: str = "root", check: bool = True) -> str:
        """Run a command on a node, past SSH and past EVC.

        Not by the SDK, which loses the first bytes of a fast command's output.
        """
        whole = [*self._inside(node, user), *command]
        none = subprocess.DEVNULL
        done = subprocess.run(whole, stdin=none, capture_output=True, text=True, timeout=300)
        text = done.stdout if check else done.stdout + done.stderr
        assert done.returncode == 0 or not check, f"{node}: {command}: {text}{done.stderr}"
        return text.strip()

    def _inside(self, node: str, user: str) -> list[str]:
        """What a command on a node begins with. `docker exec` takes thirty times as much CPU."""
        if os.geteuid():
            return ["docker", "exec", "--user", user, f"evc-{self.fleet.id}-{node}"]
        process = self.container(node).attrs["State"]["Pid"]
        switch = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        clean = ["env", "-i", f"PATH={PATH}", f"HOME=/{user}"]
        return ["nsenter", f"--target={process}", "--all", *clean, *(switch * (user != "root"))]

    def until(self, node: str, condition: str, seconds: float = 60, user: str = "root") -> str:
        """Wait there for a shell command to succeed, at most `seconds`; what it says.

        What the condition names must not be in its own text, or it finds itself:
        `pgrep -f '[s]leep'`.
        """
        loop = f"until {condition}; do sleep 0.1; done"
        return self.on(node, "timeout", str(seconds), "sh", "-c", loop, user=user)

    def models(self, node: str, model: str) -> list[dict[str, Any]]:
        """The containers of a model on a node, as its own engine tells.

        They are asked for anew when a swap removed one between the list and the look.
        """
        label = f"label=evc.model={model}"
        found: list[dict[str, Any]] = json.loads(self.on(node, "sh", "-c", MODELS, "-", label))
        return found


def small() -> str:
    """The name of the base of most releases on this machine's engine."""
    dockerfile = SMALL.format(python=base_images.python(print))
    return base_images.image("evc-small-python", dockerfile, print)


def port(model: str) -> int:
    """Where a `tiny` project of this name serves."""
    return 8100 + zlib.crc32(model.encode()) % 800


def wait_until(what: str, ready: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a state, at most `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


@contextlib.contextmanager
def cut_off(home: Home, node: str) -> Iterator[None]:
    """Everything that a node sends is dropped, but SSH's answers."""
    for rule in (["-o", "lo"], ["-o", "docker0"], ["-p", "tcp", "--sport", "22"]):
        home.on(node, "iptables", "-A", "OUTPUT", *rule, "-j", "ACCEPT")
    home.on(node, "iptables", "-A", "OUTPUT", "-j", "DROP")
    try:
        yield
    finally:
        home.on(node, "iptables", "-F", "OUTPUT")


@pytest.fixture(scope="session", autouse=True)
def images(tmp_path_factory: pytest.TempPathFactory) -> None:
    """On a new machine one worker makes what all fleets stand on, while the others wait for it."""
    with (tmp_path_factory.getbasetemp().parent / "images").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lab_image.image(print)
        small()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    fleet = init(tmp_path_factory.mktemp("home") / "fleet")
    made = Home(fleet, docker.from_env())
    try:
        made.evc("lab", "up", "--nodes", "3", "--builders", "1")
        made.evc("registry", "up")
        made.import_small()
        yield made
    finally:
        made.evc("lab", "down")
        made.evc("registry", "down", "--purge", "--yes")


@pytest.fixture(scope="session")
def slim(home: Home) -> None:
    """The base image of projects that name none."""
    home.evc("registry", "import", "python:3.11-slim", "--or-bootstrap")


@pytest.fixture(scope="module", autouse=True)
def whole_lab(request: pytest.FixtureRequest) -> None:
    """Each file of tests finds all of the lab's nodes in the inventory, whatever one did before."""
    items = [one for one in request.session.items if one.path == request.path]
    if any("home" in getattr(one, "fixturenames", ()) for one in items):
        request.getfixturevalue("home").evc("lab", "up", "--nodes", "3", "--builders", "1")


@pytest.fixture(scope="session")
def tiny(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A small project whose version and behaviour the test chooses."""

    def make(version: str, fault: str = "none", model: str = "tiny") -> Path:
        folder = tmp_path_factory.mktemp("tiny") / "tiny"
        shutil.copytree(PROJECTS / "tiny", folder)
        config = folder / "myEVCconfig.yaml"
        text = config.read_text().replace("version: 0", f"version: {version}")
        if fault == "held":  # until the test lets it go
            text = text.replace("start_period: 15", "start_period: 180")
        config.write_text(text.replace("model_name: tiny", f"model_name: {model}"))
        for file in (config, folder / "app.py"):  # each model has a port of its own
            file.write_text(file.read_text().replace("8100", str(port(model))))
        (folder / "fault").write_text(fault)
        return folder

    return make
