"""A logger that runs, is killed and runs again, and what nodes kept past EVC."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from conftest import Home, wait_until

from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.store import Store
from tests import forked

KEPT = "/var/tmp/kept"
# Runs on a node, as root: keeps each line that ever was whole in the ring.
KEEPER = f"""
import glob, os, time
seen = set(open("{KEPT}", "rb")) if os.path.exists("{KEPT}") else set()
read = set()
with open("{KEPT}", "ab", buffering=0) as kept:
    while True:
        for path in sorted(glob.glob("/var/lib/evc/ring/*.log")):
            found = os.stat(path)
            now = path, found.st_size, found.st_mtime_ns
            for line in [] if now in read else open(path, "rb"):
                if not line.endswith(b"\\n"):
                    break  # the rest of it may be there already, and is no line
                if line not in seen:
                    seen.add(line)
                    kept.write(line)
            read.add(now)
        time.sleep(0.2)
"""
POSITIONS = "SELECT name, position FROM logged_node"


class Running:
    """`evc logger`, that can be killed and started again."""

    def __init__(self, home: Home, folder: Path) -> None:
        self._home, self._log = home, folder / "logger.log"
        self.start()

    def start(self) -> None:
        words = [sys.executable, "-m", "evc", "-C", str(self._home.fleet.root), "logger"]
        before = self.said().count("event=logging")
        with self._log.open("a") as log:
            self.process = subprocess.Popen(words, stderr=log)
        wait_until("it logs", lambda: self.said().count("event=logging") > before)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def killed_as_a_position_moves(self, *words: str) -> None:
        """Begin one, and end it then at once: a position without its samples would be left."""
        with store.opened(self._home.fleet.database, fleets.share() / "db") as opened:
            before = opened.rows(POSITIONS)
            files = (str(self._home.fleet.root), str(self._log))
            logger = forked.FORKS.Process(target=forked.log, args=(*files, *words))
            logger.start()
            try:
                _until_another(opened, before)
            finally:
                logger.kill()
                logger.join()

    def end(self) -> tuple[int, float]:
        """Its exit code when told to stop, and after how many seconds."""
        asked = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10), time.monotonic() - asked

    def said(self) -> str:
        return self._log.read_text() if self._log.exists() else ""


def _until_another(opened: Store, before: list[dict[str, str]]) -> None:
    """Looks often, but leaves the processor to those who are looked at."""
    deadline = time.monotonic() + 60
    while opened.rows(POSITIONS) == before:
        assert time.monotonic() < deadline
        time.sleep(0.0005)


def keep(home: Home, node: str) -> None:
    name = f"evc-{home.fleet.id}-{node}"
    subprocess.run(["docker", "exec", "-d", name, "python3", "-c", KEEPER], check=True)


def kept(home: Home, node: str) -> list[bytes]:
    return [line.encode() for line in home.on(node, "cat", KEPT).splitlines()]


def sample_fast(home: Home, node: str) -> None:
    """Kill the agent's sampler, and start one that samples five times a second."""
    name = f"evc-{home.fleet.id}-{node}"
    agent = "exec python3 /var/lib/evc/evc_agent.py sample --interval 0.2"
    words = ["sh", "-c", f"pkill -9 -f '[e]vc_agent.main.*sample'; {agent}"]
    subprocess.run(["docker", "exec", "-d", "--user", "evc", name, *words], check=True)


def docker(*words: str) -> None:
    subprocess.run(["docker", *words], check=True, stdout=subprocess.DEVNULL)
