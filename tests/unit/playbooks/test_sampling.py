"""The node's program keeps an agent running, and only one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROGRAM = Path(__file__).parents[3] / "playbooks" / "files" / "evc_node"
# Holds the ring's lock as the real one does, and says who it is.
AGENT = """import fcntl, os, sys, time
home = os.environ["EVC_NODE_HOME"]
lock = open(home + "/ring/lock", "a")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
with open(home + "/agents", "a") as file:
    file.write("%d %d %s\\n" % (os.getpid(), os.getsid(0), sys.argv[1]))
time.sleep(60)
"""


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def keep(home: Path) -> None:
    """What `evc_node.pyz sample` does, to its end."""
    environment = {**os.environ, "EVC_NODE_HOME": str(home)}
    command = [sys.executable, str(PROGRAM), "sample"]
    subprocess.run(command, env=environment, check=True, timeout=20)


def test_one_agent_is_kept_running(tmp_path: Path) -> None:
    started = tmp_path / "agents"

    def agents() -> list[list[str]]:
        return [line.split() for line in started.read_text().splitlines()]

    keep(tmp_path)
    assert not started.exists()  # there is none yet
    (tmp_path / "evc_agent.py").write_text(AGENT)
    (tmp_path / "ring").mkdir()
    keep(tmp_path)
    until(started.exists)
    until(agents)
    try:
        keep(tmp_path)
        ((process, session, command),) = agents()
        assert (process != str(os.getpid()), command) == (True, "sample")
        assert session != str(os.getsid(0))  # it outlives the link it came by
    finally:
        os.kill(int(agents()[0][0]), signal.SIGKILL)
    keep(tmp_path)
    until(lambda: len(agents()) == 2)
    os.kill(int(agents()[1][0]), signal.SIGKILL)
