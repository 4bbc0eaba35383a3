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
from conftest import Home, port, wait_until

pytestmark = pytest.mark.fleet

NODE = "edge01"
PROGRAM = Path(__file__).parents[2] / "playbooks" / "files" / "evc_node"
BAR_SECONDS = 30
HARNESS = "/tmp/evc-die.py"

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
def orders(home: Home, tiny: Callable[..., Path]) -> dict[str, Any]:
    """Two real orders, as the controller gave them: the release before, and the one to come."""
    home.evc("run", str(tiny("old", model="swapped")), "--on", NODE)
    old = json.loads(home.on(NODE, "cat", "/var/lib/evc/models/swapped/current.json"))
    home.evc("run", str(tiny("new", model="swapped")), "--on", NODE)
    new = json.loads(home.on(NODE, "cat", "/var/lib/evc/models/swapped/current.json"))
    home.on(NODE, "python3", "-c", f"open({HARNESS!r}, 'w').write({DIE!r})")
    return {"old": old, "new": new}


def test_every_step_is_in_the_journal(home: Home, orders: dict[str, Any]) -> None:
    """The list that the harness kills by is what a swap really writes."""
    _give(home, orders["new"])
    _give(home, orders["old"])
    journal = home.on(NODE, "cat", "/var/lib/evc/models/swapped/journal").splitlines()
    entries = [json.loads(line) for line in journal]
    written = [one["step"] for one in entries if not one.get("progress")]
    assert tuple(written) == ("begin", *_steps())


@pytest.mark.parametrize(("moment", "step"), MOMENTS)
@pytest.mark.parametrize("victim", ["program", "engine"])
def test_death_leaves_exactly_one_serving(
    home: Home, orders: dict[str, Any], victim: str, moment: str, step: str
) -> None:
    _give(home, orders["old"])
    stopped = _start_and_stop_at(home, orders["new"], moment, step)
    home.on(NODE, "kill", "-9", stopped)
    if victim == "engine":
        home.on(NODE, "pkill", "-9", "dockerd")
        wait_until("the engine is back", lambda: _engine_answers(home))
    began = time.monotonic()
    wait_until("one release serves", lambda: _settled(home), BAR_SECONDS)
    assert time.monotonic() - began < BAR_SECONDS
    (serving,) = home.models(NODE, "swapped")
    steps = list(_steps())
    committed = steps.index(step) + (moment == "after") > steps.index("commit")
    wanted = orders["new" if committed else "old"]
    assert serving["Config"]["Labels"]["evc.digest"] == wanted["image"]["digest"]
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
    home: Home, orders: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    _give(home, orders["old"])
    (before,) = home.models(NODE, "swapped")
    _run(home, ["python3", HARNESS, "never", "none"], {**orders["new"], **change})
    wait_until("the swap's end", lambda: _settled(home))
    last = json.loads(home.on(NODE, "tail", "-n1", "/var/lib/evc/models/swapped/journal"))
    assert last["step"] == "reverted" and last["serving"] and reason in last["reason"]
    (after,) = home.models(NODE, "swapped")
    assert after["Id"] == before["Id"]
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]


def _engine_answers(home: Home) -> bool:
    done = home.container(NODE).exec_run(["docker", "version"])
    return bool(done.exit_code == 0)


def _start_and_stop_at(home: Home, order: dict[str, Any], moment: str, step: str) -> str:
    """Start a swap that stops itself at a place in its journal; its process id."""
    _run(home, ["python3", HARNESS, moment, step], order)
    found: list[str] = []

    def stopped() -> bool:
        shown = home.on(NODE, "ps", "-eo", "pid,stat,args").splitlines()
        found[:] = [
            line.split()[0] for line in shown if HARNESS in line and line.split()[1].startswith("T")
        ]
        return bool(found)

    wait_until(f"the swap stops {moment} {step}", stopped)
    return found[0]


def _give(home: Home, order: dict[str, Any]) -> None:
    """Bring the node to an order by its own swap program, and wait for its end."""
    if _settled(home) and _digest(home) == order["image"]["digest"]:
        return
    _run(home, ["python3", HARNESS, "never", "none"], order)
    wait_until("the swap's end", lambda: _settled(home))
    assert _digest(home) == order["image"]["digest"]


def _digest(home: Home) -> str:
    (serving,) = home.models(NODE, "swapped")
    digest: str = serving["Config"]["Labels"]["evc.digest"]
    return digest


def _run(home: Home, command: list[str], order: dict[str, Any]) -> None:
    """Run a command as EVC's user with a fresh order on its stdin."""
    job = f"test-{time.time_ns():x}"
    fresh = {**order, "id": job}
    fresh["container"] = {**order["container"], "name": f"evc-swapped-{job}"}
    put = f"open('/tmp/order-{job}', 'w').write({json.dumps(fresh)!r})"
    home.on(NODE, "python3", "-c", put)
    line = f"{' '.join(command)} < /tmp/order-{job}"
    said = home.on(NODE, "sh", "-c", line, user="evc")
    assert "error" not in json.loads(said.splitlines()[-1])


def _settled(home: Home) -> bool:
    """The journal is finished, one container is there, it runs and answers."""
    check = (
        "import sys; sys.path.insert(0, '/var/lib/evc/evc_node.pyz');"
        "import engine, journal, swap, health;"
        "assert journal.Journal(swap.folder('swapped')).finished();"
        "(one,) = swap.ours('swapped');"
        f"check = {{'host': '127.0.0.1', 'port': {port('swapped')}, 'http': '/health'}};"
        "assert not health.look(one['Id'], check)"
    )
    done = home.container(NODE).exec_run(["python3", "-c", check], user="evc")
    return bool(done.exit_code == 0)
