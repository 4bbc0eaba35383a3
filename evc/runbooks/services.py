"""EVC as services of this machine: the logger, the sync and the daily renewal."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping

from evc.doors import system
from evc.doors.fleet import Fleet
from evc.pure.errors import BadInput, EvcError
from evc.pure.units import units


def install(fleet: Fleet) -> list[str]:
    """Write the units and start what runs; their names. Twice is the same as once."""
    _need_systemd()
    found = _units(fleet)
    for name, text in found.items():
        system.write_unit(name, text)
    system.systemctl("daemon-reload")
    system.systemctl("enable", "--now", *_running(found))
    return list(found)


def remove(fleet: Fleet) -> list[str]:
    """Stop them and take them away; the names of those that were there."""
    _need_systemd()
    there = [name for name in _units(fleet) if system.has_unit(name)]
    if there:
        system.systemctl("disable", "--now", *_running(there))
        for name in there:
            system.remove_unit(name)
        system.systemctl("daemon-reload")
    return there


def status(fleet: Fleet) -> dict[str, str]:
    """Unit → `active`, `inactive`, `failed` …, or `none` where it is not installed."""
    return {
        name: system.unit_state(name) if system.has_unit(name) else "none"
        for name in _running(_units(fleet))
    }


def _units(fleet: Fleet) -> Mapping[str, str]:
    user = os.environ.get("SUDO_USER") or getpass.getuser()
    evc = [sys.executable, "-m", "evc", "-C", str(fleet.root)]
    try:
        return units(fleet.id, str(fleet.root), user, evc)
    except ValueError as error:
        raise BadInput(str(error), "move the fleet folder") from None


def _running(names: Mapping[str, str] | list[str]) -> list[str]:
    """The units that systemd starts by itself."""
    return [name for name in names if name.endswith(("logger.service", ".timer"))]


def _need_systemd() -> None:
    if not system.SYSTEMD.is_dir():
        raise EvcError(
            "systemd does not run on this machine",
            "let cron start it: `@reboot evc -C DIR logger`, and `@daily evc -C DIR sync`",
        )
