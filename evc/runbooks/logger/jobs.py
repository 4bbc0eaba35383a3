"""What the logger does now and then, on a thread of its own: no stream ever waits for it."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import schedule

from evc.doors import fleet as fleets
from evc.doors import notices, store
from evc.doors.fleet import Fleet
from evc.doors.machine import Machine
from evc.doors.store import Store
from evc.pure.config import ServerConfig
from evc.runbooks import rollups
from evc.runbooks.logger import alerts
from evc.runbooks.logger.stream import Say
from evc.runbooks.logger.telling import Teller

MINUTE, HOUR = 60, 3600
# How often each is done, in seconds.
EVERY = {"rollups": 5 * MINUTE, "retention": 6 * HOUR, "alerts": 30, "catalogue": HOUR,
         "certificate": 24 * HOUR, "places": 10 * MINUTE, "log": 30, "controller": 5,
         "ping": MINUTE}  # fmt: skip
AT_ONCE = ("rollups", "places", "certificate")  # what a logger before this one left, or never did
LOG_BYTES, LOG_WAIT_SECONDS = 16 * 2**20, 2.0
NOMINATIM_SECONDS = 1.5  # between two requests: its rules say a second
POLL_SECONDS, FAREWELL_SECONDS, COMMAND_SECONDS = 1.0, 1.0, 300.0
AGAIN_SECONDS, UNSTORED_SECONDS = 30.0, 120.0


Work = Callable[[Store, rollups.Stopped], object]


class Jobs:
    """The thread, from `start` to `end`."""

    def __init__(
        self, fleet: Fleet, config: ServerConfig, say: Say, unstored: Callable[[], float]
    ) -> None:
        """`unstored` says for how many seconds the logger has stored nothing."""
        settings = self._settings = config.alerts
        self._unstored = unstored
        self._fleet, self._geocoding, self._say = fleet, config.geocoding, say
        self._machine = Machine(fleet.database)
        self._teller = Teller(settings)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Tell it to stop, and wait, but not long: each of its steps is a transaction."""
        self._stop.set()
        self._thread.join(FAREWELL_SECONDS)

    def _run(self) -> None:
        """Until the end; a database that cannot be opened now may be later."""
        while not self._stop.is_set():
            try:
                with store.opened(self._fleet.database, fleets.share() / "db") as opened:
                    self._work(opened)
            except Exception as error:
                self._say("jobs", level="error", reason=str(error))
                self._stop.wait(AGAIN_SECONDS)

    def _work(self, opened: Store) -> None:
        opened.need_not_wait()
        planned, works = schedule.Scheduler(), self._works()
        for name, work in works.items():
            planned.every(EVERY[name]).seconds.do(self._do, name, work, opened)
        for name in AT_ONCE:
            self._do(name, works[name], opened)
        while not self._stop.wait(POLL_SECONDS):
            planned.run_pending()

    def _works(self) -> dict[str, Work]:
        return {
            "rollups": rollups.roll,
            "retention": prune,
            "alerts": self._alerts,
            "catalogue": self._catalogue,
            "certificate": self._certificate,
            "places": self._places,
            "log": self._shorten,
            "controller": self._own,
            "ping": self._ping,
        }

    def _do(self, name: str, work: Work, opened: Store) -> None:
        """Do one job; whatever is wrong with it is said, and that is all: it comes again."""
        try:
            work(opened, self._stop.is_set)
        except Exception as error:
            self._say(name, level="error", reason=str(error))

    def _alerts(self, opened: Store, _stopped: rollups.Stopped) -> None:
        now = time.time()
        for line in alerts.watch(opened, self._settings, now).splitlines():
            self._say("alert", level="warning", text=line)
        for problem in self._teller.tell(opened, now):
            self._say("alert not told", level="error", reason=problem)

    def _places(self, opened: Store, _stopped: rollups.Stopped) -> None:
        if not opened.rows("SELECT 1 FROM place WHERE latitude IS NULL AND address <> ''"):
            return
        from evc.runbooks.logger import places  # seldom needed, and large

        wait = functools.partial(self._stop.wait, NOMINATIM_SECONDS)
        places.locate(opened, self._geocoding, time.time(), wait)

    def _shorten(self, opened: Store, _stopped: rollups.Stopped) -> None:
        """Readers that overlap keep the write-ahead log from beginning anew by itself."""
        file = self._fleet.database.with_name(self._fleet.database.name + "-wal")
        size = file.stat().st_size
        if size > LOG_BYTES and not opened.shorten_log(LOG_WAIT_SECONDS):
            log = f"the write-ahead log has {size >> 20} MB, and grows until it ends"
            reason = f"a program reads without an end: {log} (`fuser {file}` names it)"
            self._say("log", level="error", reason=reason)

    def _own(self, opened: Store, _stopped: rollups.Stopped) -> None:
        """The controller's own figures, which are the logger's heartbeat too."""
        row = {"time": round(time.time(), 3), **self._machine.figures()}
        marks = ", ".join(f":{name}" for name in row)
        opened.write_all(f"INSERT INTO controller ({', '.join(row)}) VALUES ({marks})", [row])

    def _ping(self, _opened: Store, _stopped: rollups.Stopped) -> None:
        """Not while nothing is stored: then somebody should look."""
        if not self._settings.ping:
            return
        if (seconds := self._unstored()) > UNSTORED_SECONDS:
            problem = f"withheld: nothing was stored for {seconds:.0f} s"
        else:
            problem = notices.ping(self._settings.ping)
        if problem:
            self._say("ping failed", level="warning", reason=problem)

    def _catalogue(self, _opened: Store, _stopped: rollups.Stopped) -> None:
        """The registry's repositories and tags."""
        self._evc("catalogue", "registry", "list", "-o", "json")

    def _certificate(self, _opened: Store, _stopped: rollups.Stopped) -> None:
        """The registry's, in its last days."""
        if (self._fleet.certs / "registry").exists():
            self._evc("certificate", "registry", "renew")

    def _evc(self, name: str, *words: str) -> None:
        """Run EVC as a process of its own: what that needs would stay in memory here."""
        command = [sys.executable, "-m", "evc", "-C", str(self._fleet.root), *words]
        null = subprocess.DEVNULL
        process = subprocess.Popen(command, stdin=null, stdout=null, stderr=null)
        deadline = time.monotonic() + COMMAND_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if self._stop.wait(POLL_SECONDS):
                break
        process.kill()
        if process.wait() > 0:
            self._say(name, level="warning", reason=f"`evc {words[0]} {words[1]}` failed")


def prune(opened: Store, stopped: rollups.Stopped) -> int:
    """What is older than the ladder keeps."""
    now = time.time()
    raw, minutes = rollups.KEEP_RAW_DAYS, rollups.KEEP_MINUTES_DAYS
    return rollups.prune(opened, now - raw * rollups.DAY, now - minutes * rollups.DAY, stopped)
