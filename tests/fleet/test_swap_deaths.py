"""The swap's program and the node's engine are killed before and after every step of its journal.

Whatever dies, exactly one release serves within 30 s, without the controller. The steps are read
from the program itself: a step that is added there is killed here.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Home, port

pytestmark = pytest.mark.fleet

NODE, MODEL = "edge01", "swapped"
FOLDER = f"/var/lib/evc/models/{MODEL}"
PROGRAM = Path(__file__).parents[2] / "playbooks" / "files" / "evc_node"
BAR_SECONDS = 30
HARNESS, WAITING = "/tmp/evc-die.py", "/tmp/evc-settled.py"

# Runs on the node: the node's own program, its journal made to die at one place.
DIE = """
import json, os, signal, sys
sys.path.insert(0, "/var/lib/evc/evc_node.pyz")
import journal, swap
moment, step = sys.argv[1:]
true_step = journal.Journal.step
def dying_step(self, name, **details):
    if (moment, name) == ("before", step):
        os.kill(os.getpid(), signal.SIGSTOP)
    true_step(self, name, **details)
    if (moment, name) == ("after", step):
        os.kill(os.getpid(), signal.SIGSTOP)
journal.Journal.step = dying_step
swap.SETTLE_SECONDS = 0.2
sys.argv = ["/var/lib/evc/evc_node.pyz", "swap"]
sys.exit(swap.main([]))
"""
# Waits there until the journal is finished and the one container is there, runs and answers.
SETTLED = f"""
import sys, time
sys.path.insert(0, "/var/lib/evc/evc_node.pyz")
import engine, health, home, journal, swap
check = {{"host": "127.0.0.1", "port": {port(MODEL)}, "http": "/health"}}
def settled():
    found = swap.ours("{MODEL}")
    finished = journal.Journal(home.model("{MODEL}")).finished()
    return finished and len(found) == 1 and not health.look(found[0]["Id"], check)
deadline = time.monotonic() + {BAR_SECONDS}
while True:
    try:
        if settled():
            break
    except (engine.EngineError, health.Unhealthy):
        pass
    if time.monotonic() > deadline:
        sys.exit("not settled in time")
    time.sleep(0.1)
"""


def _steps() -> tuple[str, ...]:
    """The swap's own list of steps."""
    sys.path.insert(0, str(PROGRAM))
    try:
        spec = importlib.util.spec_from_file_location("node_swap", PROGRAM / "swap.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(PROGRAM))
    steps: tuple[str, ...] = module.STEPS
    return steps


MOMENTS = [(moment, step) for step in _steps() for moment in ("before", "after")]


@pytest.fixture(scope="module")
def given(home: Home, tiny: Callable[..., Path]) -> list[Any]:
    """Two real orders for two releases, as the controller gave them."""
    found = []
    for version in ("1", "2"):
        home.evc("run", str(tiny(version, model=MODEL)), "--on", NODE)
        found.append(json.loads(home.on(NODE, "cat", f"{FOLDER}/current.json")))
    for path, program in ((HARNESS, DIE), (WAITING, SETTLED)):
        home.on(NODE, "sh", "-c", 'printf %s "$1" > "$2"', "-", program, path)
    return found


@pytest.fixture
def orders(home: Home, given: list[Any]) -> list[Any]:
    """That of the release which serves now, and that of the other, which is to come."""
    (serving,) = home.models(NODE, MODEL)
    return sorted(given, key=lambda order: bool(_digest(order) != _label(serving)))


def test_every_step_is_in_the_journal(home: Home, orders: list[Any]) -> None:
    """The list that the harness kills by is what a swap really writes."""
    _run(home, "never", "none", orders[1])
    _settle(home)
    journal = home.on(NODE, "cat", f"{FOLDER}/journal").splitlines()
    entries = [json.loads(line) for line in journal]
    written = [one["step"] for one in entries if not one.get("progress")]
    assert tuple(written) == ("begin", *_steps())


@pytest.mark.parametrize(("moment", "step"), MOMENTS)
@pytest.mark.parametrize("victim", ["program", "engine"])
def test_death_leaves_exactly_one_serving(
    home: Home, orders: list[Any], victim: str, moment: str, step: str
) -> None:
    _run(home, moment, step, orders[1])
    stopped = home.until(NODE, f"pgrep -r T -f {HARNESS}")
    home.on(NODE, "kill", "-9", stopped)
    if victim == "engine":
        home.on(NODE, "pkill", "-9", "dockerd")
    _settle(home)
    (serving,) = home.models(NODE, MODEL)
    steps = list(_steps())
    committed = steps.index(step) + (moment == "after") > steps.index("commit")
    assert _label(serving) == _digest(orders[committed])
    assert serving["HostConfig"]["RestartPolicy"]["Name"] == "always"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"architecture": "arm64"}, "the image is for amd64, this node needs arm64"),
        ({"image": {"repository": "x86_64-model", "digest": "sha256:" + "0" * 64}}, "not found"),
    ],
    ids=["wrong architecture", "not in the registry"],
)
def test_what_fails_before_the_old_one_stops_leaves_it_alone(
    home: Home, orders: list[Any], change: dict[str, Any], reason: str
) -> None:
    (before,) = home.models(NODE, MODEL)
    _run(home, "never", "none", {**orders[1], **change})
    _settle(home)
    last = json.loads(home.on(NODE, "tail", "-n1", f"{FOLDER}/journal"))
    assert last["step"] == "reverted" and last["serving"] and reason in last["reason"]
    (after,) = home.models(NODE, MODEL)
    assert after["Id"] == before["Id"]
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]


def _digest(order: dict[str, Any]) -> Any:
    return order["image"]["digest"]


def _label(container: dict[str, Any]) -> Any:
    return container["Config"]["Labels"]["evc.digest"]


def _settle(home: Home) -> None:
    """Within BAR_SECONDS, or it says what is not so."""
    home.on(NODE, "python3", WAITING, user="evc")


def _run(home: Home, moment: str, step: str, order: dict[str, Any]) -> None:
    """Start a swap as EVC's user, with a fresh order; it stops itself at a place in its journal."""
    job = f"test-{time.time_ns():x}"
    fresh = {**order, "id": job}
    fresh["container"] = {**order["container"], "name": f"evc-{MODEL}-{job}"}
    line = f'printf %s "$1" | python3 {HARNESS} {moment} {step}'
    said = home.on(NODE, "sh", "-c", line, "-", json.dumps(fresh), user="evc")
    assert "error" not in json.loads(said.splitlines()[-1])
