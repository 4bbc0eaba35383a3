"""What a metered node's link carries in a day: real bytes at a lab node's interface."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.homes import Home, home
from bench.measure import Result
from evc.doors import fleet as fleets
from evc.doors import store

NODE = "edge01"
MINUTES = 5
DAY_MINUTES = 1440
CONNECTIONS = 24  # a day: a link that breaks every hour
GOAL_BYTES = 3_000_000
SECONDS = 180.0
MODEL = """
n=0; while :; do n=$((n+1)); faces=
for one in 1 2 3; do
  box="[$((n*one%640)),$((n*7%480)),$((60+n%9)),$((80+n%7))]"
  face='{"class":"face","probability":0.9'$((n*one%97))',"box":'$box'}'
  [ $((n%4)) -lt $one ] || faces="$faces${faces:+,}$face"
done
echo '{"event":"prediction","time":'$(date +%s)',"latency_ms":'$((90+n%23))',"results":['$faces']}'
sleep 1; done
"""


def bench() -> Result:
    """A day is CONNECTIONS times connecting, and its minutes as those that were measured.

    What connecting costs holds the first backlog too. The samples are those of a lab node on which
    a model says of every second which faces it sees.
    """
    with home(1, 0) as (made, _):
        made.evc("node", "add", NODE)
        made.evc("node", "set", NODE, "--metered")
        made.evc("logger", "--install")
        _predict(made)
        quiet = _carried(made)
        command = [sys.executable, "-m", "evc", "-C", str(made.fleet.root), "logger"]
        logger = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            begin, _ = _after(made, _minutes(made) + 2)  # a live one has come
            minutes = _minutes(made)
            end, came = _after(made, minutes + MINUTES)
        finally:
            logger.terminate()
            logger.wait()
    connecting, steady = begin - quiet, (end - begin) / (came - minutes)
    print(f"  connecting {connecting} B, a minute {steady:.0f} B", file=sys.stderr, flush=True)
    day = CONNECTIONS * connecting + DAY_MINUTES * steady
    return Result("link_bytes_day", day, "B", "the goal itself", GOAL_BYTES, 1.0)


def _predict(made: Home) -> None:
    """Have a model's container on the node see up to three faces a second."""
    programs = "/bin/sh /bin/date /bin/sleep"
    libraries = f"$(ldd {programs} | grep -o '/lib[^ ]*' | sort -u)"
    image = f"tar -ch {programs} {libraries} 2> /dev/null | docker import - model"
    made.on(NODE, "sh", "-c", image)
    labels = ["--label=evc.model=face", "--label=evc.release=1.0+0123456789ab"]
    made.on(NODE, "docker", "run", "-d", *labels, "model", "/bin/sh", "-c", MODEL)


def _carried(made: Home) -> int:
    """Bytes in and out of the node's interface, Ethernet's headers too."""
    paths = [f"/sys/class/net/eth0/statistics/{way}_bytes" for way in ("rx", "tx")]
    return sum(map(int, made.on(NODE, "cat", *paths).split()))


def _minutes(made: Home) -> int:
    with store.opened(made.fleet.database, fleets.share() / "db") as opened:
        return len(opened.rows("SELECT id FROM sample WHERE covers IS NOT NULL"))


def _after(made: Home, minutes: int) -> tuple[int, int]:
    """What was carried when so many minutes had been stored, and how many they are then."""
    deadline = time.monotonic() + SECONDS * MINUTES
    while (found := _minutes(made)) < minutes:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{found} minutes came, not {minutes}")
        time.sleep(0.5)
    return _carried(made), found
