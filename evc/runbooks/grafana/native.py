"""A Grafana that this machine's systemd runs: what keeps it from the database, and letting it."""

from __future__ import annotations

import grp
import shutil
from pathlib import Path
from stat import S_IMODE

from evc.doors import fleet as fleets
from evc.doors import system
from evc.doors.fleet import Fleet
from evc.pure.errors import EvcError
from evc.pure.grafana import native
from evc.pure.grafana.native import Rights, Way

SETTINGS = ("ProtectHome", "PrivateTmp", "Group", "SupplementaryGroups")


def in_the_way(fleet: Fleet) -> dict[str, str] | None:
    """What keeps Grafana from the database → what helps, or None where systemd runs none."""
    shown = system.unit_settings(native.UNIT, SETTINGS)
    if shown is None or not fleet.database.exists():
        return None
    way = _way(fleet)
    return native.in_the_way(native.hidden_by(way.folder.path, shown), way, shown)


def let_it(fleet: Fleet) -> None:
    """Write the drop-in, set group and modes, start it again; raises EvcError if not allowed.

    The folders above are left: whom a home is open to is for its owner to say.
    """
    shown = system.unit_settings(native.UNIT, SETTINGS) or {}
    way = _way(fleet)
    group = native.group_of(way.folder, shown)
    _open_to(group, fleet)
    hidden = native.hidden_by(way.folder.path, shown)
    system.write_drop_in(native.UNIT, native.DROP_IN, native.drop_in(hidden, group))
    system.systemctl("daemon-reload")
    system.systemctl("try-restart", native.UNIT)


def _open_to(group: str, fleet: Fleet) -> None:
    """Others may still search the folder of one person's fleet: it is no group's for that."""
    folder = fleet.database.parent
    searched = 0 if fleets.is_shared(fleet.root) else native.SEARCHED_BY_ALL
    modes = dict.fromkeys(folder.glob(f"{fleet.database.name}*"), native.FILE_MODE)
    try:
        for path, mode in ({folder: native.FOLDER_MODE | searched} | modes).items():
            if _rights(path).group != group:
                shutil.chown(path, group=group)
            path.chmod(mode)
    except (OSError, LookupError) as error:
        why = f"{folder} cannot be given to the group {group}: {error}"
        raise EvcError(why, "sudo evc doctor --fix") from None


def _way(fleet: Fleet) -> Way:
    folder = fleet.database.parent.resolve()
    return Way(list(map(_rights, folder.parents)), _rights(folder), _rights(fleet.database))


def _rights(path: Path) -> Rights:
    found = path.stat()
    return Rights(str(path), S_IMODE(found.st_mode), _group_name(found.st_gid))


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
