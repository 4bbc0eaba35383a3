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
RENEWAL = """[Unit]
Description=EVC: the registry of {root} is up, its certificate renewed

[Service]
Type=oneshot
User={user}
ExecStart={command}
"""
DAILY = """[Unit]
Description=EVC: renewal of {root}, daily

[Timer]
OnCalendar=daily
RandomizedDelaySec=1h
Persistent=true

[Install]
WantedBy=timers.target
"""


def units(fleet_id: str, root: str, user: str, evc: Sequence[str]) -> Mapping[str, str]:
    """Unit → its text, for a fleet folder; `evc` is the argv that runs EVC on it."""
    plain = root.replace("%", "%%")
    logger = argv([*evc, "logger"])
    renewal = argv([*evc, "registry", "up"])
    return {
        f"evc-{fleet_id}-logger.service": LOGGER.format(root=plain, user=user, command=logger),
        f"evc-{fleet_id}-renewal.service": RENEWAL.format(root=plain, user=user, command=renewal),
        f"evc-{fleet_id}-renewal.timer": DAILY.format(root=plain),
    }


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
