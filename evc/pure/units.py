"""systemd units of a controller (systemd.unit(5), systemd.service(5), systemd.timer(5))."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

LOGGER = """[Unit]
Description=EVC: a record of every node of {root}
After=network-online.target
Wants=network-online.target

[Service]
User={user}
ExecStart={command}
Restart=on-failure
RestartSec=10
# Another logger runs: nothing to do here.
RestartPreventExitStatus=2 4
TimeoutStopSec=10

[Install]
WantedBy=multi-user.target
"""
JOB = """[Unit]
Description=EVC: {what} of {root}

[Service]
Type=oneshot
User={user}
ExecStart={command}
"""
TIMER = """[Unit]
Description=EVC: {what} of {root}

[Timer]
{when}
RandomizedDelaySec=5min
Persistent=true

[Install]
WantedBy=timers.target
"""
# Job → the words of its command, and when it runs.
JOBS = {
    "sync": (["sync"], "OnCalendar=*:0/15"),
    "renewal": (["registry", "renew"], "OnCalendar=daily"),
}


def units(fleet_id: str, root: str, user: str, evc: Sequence[str]) -> Mapping[str, str]:
    """Unit → its text, for a fleet folder; `evc` is the argv that runs EVC on it."""
    shared = {"root": root.replace("%", "%%"), "user": user}
    name = f"evc-{fleet_id}"
    found = {f"{name}-logger.service": LOGGER.format(command=argv([*evc, "logger"]), **shared)}
    for what, (words, when) in JOBS.items():
        line = argv([*evc, *words])
        found[f"{name}-{what}.service"] = JOB.format(what=what, command=line, **shared)
        found[f"{name}-{what}.timer"] = TIMER.format(what=what, when=when, **shared)
    return found


def argv(words: Sequence[str]) -> str:
    """Words as one line of a unit: nothing in them is taken for a specifier or a variable.

    Raises ValueError for a word with a control character.
    """
    if any(not word.isprintable() for word in words):
        raise ValueError("a path holds a control character")
    return " ".join(f'"{_escaped(word)}"' for word in words)


def _escaped(word: str) -> str:
    for mark, instead in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(mark, instead)
    return word
