"""A Grafana that this machine's systemd runs: what keeps it from the database, and letting it."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from pathlib import Path
from stat import S_IMODE

from evc.doors import fleet as fleets
from evc.doors import system
from evc.doors.fleet import Fleet
from evc.pure.errors import EvcError
from evc.pure.grafana import native
from evc.pure.grafana.native import Rights, Way

SETTINGS = ("ProtectHome", "PrivateTmp", "User", "Group", "SupplementaryGroups")


def in_the_way(fleet: Fleet) -> dict[str, str] | None:
    """What keeps Grafana from the database → what helps, or None where systemd runs none."""
    shown = system.unit_settings(native.UNIT, SETTINGS)
    if shown is None or not fleet.database.exists():
        return None
    way = _way(fleet, native.user_of(shown))
    return native.in_the_way(native.hidden_by(way.folder.path, shown), way, shown)


def let_it(fleet: Fleet) -> None:
    """Write the drop-in, set group and modes or an ACL, start it again; EvcError if not allowed.

    The folders above are left: whom a home is open to is for its owner to say.
    """
    shown = system.unit_settings(native.UNIT, SETTINGS) or {}
    user = native.user_of(shown)
    way = _way(fleet, user)
    group = "" if way.shared else native.group_of(way.folder, shown)
    if way.shared:
        system.let_in(user, fleet.root, fleet.database.parent)
    else:
        _open_to(group, fleet.database)
    hidden = native.hidden_by(way.folder.path, shown)
    system.write_drop_in(native.UNIT, native.DROP_IN, native.drop_in(hidden, group))
    system.systemctl("daemon-reload")
    system.systemctl("try-restart", native.UNIT)


def _open_to(group: str, database: Path) -> None:
    """Others may still search the folder: it is no group's for that."""
    folder = database.parent
    modes = dict.fromkeys(folder.glob(f"{database.name}*"), native.FILE_MODE)
    try:
        for path, mode in ({folder: native.FOLDER_MODE | native.SEARCHED_BY_ALL} | modes).items():
            if _rights(path).group != group:
                shutil.chown(path, group=group)
            path.chmod(mode)
    except (OSError, LookupError) as error:
        why = f"{folder} cannot be given to the group {group}: {error}"
        raise EvcError(why, "sudo evc doctor --fix") from None


def _way(fleet: Fleet, user: str) -> Way:
    folder = fleet.database.parent.resolve()
    above = [_rights(one, user) for one in folder.parents]
    shared = fleets.is_shared(fleet.root)
    return Way(above, _rights(folder, user), _rights(fleet.database, user), shared)


def _rights(path: Path, user: str = "") -> Rights:
    found = path.stat()
    own = _allowed(path, user) if user else 0
    return Rights(str(path), S_IMODE(found.st_mode), _group_name(found.st_gid), own)


def _allowed(path: Path, user: str) -> int:
    """What an ACL lets `user` do; 0 where there is none, or no such user."""
    try:
        return native.allowed(os.getxattr(path, native.ACL), pwd.getpwnam(user).pw_uid)
    except (OSError, LookupError):
        return 0


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
