"""A Grafana that this machine's systemd runs: what keeps it from the database, and letting it."""

from __future__ import annotations

import grp
from stat import S_IMODE

from evc.doors import system
from evc.doors.fleet import Fleet
from evc.pure.grafana import native

SETTINGS = ("ProtectHome", "PrivateTmp", "SupplementaryGroups")


def in_the_way(fleet: Fleet) -> list[str] | None:
    """What keeps Grafana from the database, or None where systemd runs none."""
    shown = system.unit_settings(native.UNIT, SETTINGS)
    if shown is None or not fleet.database.exists():
        return None
    folder, group = fleet.database.parent, _group(fleet)
    hidden = native.hidden_by(str(folder), shown)
    modes = [S_IMODE(path.stat().st_mode) for path in (folder, fleet.database)]
    return native.in_the_way(hidden, group, shown, *modes)


def let_it(fleet: Fleet) -> None:
    """Write the drop-in, set modes, and start Grafana again; raises EvcError where not allowed."""
    shown = system.unit_settings(native.UNIT, SETTINGS) or {}
    folder = fleet.database.parent
    text = native.drop_in(native.hidden_by(str(folder), shown), _group(fleet))
    folder.chmod(native.FOLDER_MODE)
    for file in folder.glob(f"{fleet.database.name}*"):
        file.chmod(native.FILE_MODE)
    system.write_drop_in(native.UNIT, native.DROP_IN, text)
    system.systemctl("daemon-reload")
    system.systemctl("try-restart", native.UNIT)


def _group(fleet: Fleet) -> str:
    return grp.getgrgid(fleet.database.parent.stat().st_gid).gr_name
