"""What keeps a Grafana that systemd runs from the database, and the drop-in that lets it.

Grafana's unit may hide /home and give it a /tmp of its own (systemd.exec(5)); and a reader of a
WAL database needs to write beside it, without locking its owner out: it gets the folder's group.
Where that group is several people's, who share the fleet's keys, an ACL lets in Grafana alone.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

UNIT = "grafana-server.service"
DROP_IN = "evc.conf"
FOLDER_MODE, FILE_MODE = 0o2770, 0o660
SEARCHED_BY_ALL = 0o001
FIX = "evc doctor --fix"
_HIDDEN = {
    "ProtectHome": ("/home", "/root", "/run/user"),
    "PrivateTmp": ("/tmp", "/var/tmp"),
}


# linux/posix_acl_xattr.h: a version, then (tag, permissions, id) for each entry.
ACL = "system.posix_acl_access"
_ACL_VERSION, _ACL_ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_ACL_USER, _ACL_MASK = 0x02, 0x10


@dataclass(frozen=True)
class Rights:
    """Of a folder or file: its mode, its group's name, and what an ACL lets Grafana itself do."""

    path: str
    mode: int
    group: str
    own: int = 0  # 4 to read, 2 to write, 1 to search


@dataclass(frozen=True)
class Way:
    """What Grafana passes to the database: the folders above, the database's own, the file.

    `shared` is whether the folder's group is several people's, who read the fleet's keys by it.
    """

    above: Sequence[Rights]
    folder: Rights
    file: Rights
    shared: bool = False


def user_of(shown: Mapping[str, str]) -> str:
    """The account that Grafana's unit runs as."""
    return shown.get("User") or "grafana"


def group_of(folder: Rights, shown: Mapping[str, str]) -> str:
    """The group that Grafana reaches a folder by; root's own is not given away for it."""
    return shown.get("Group") or "grafana" if folder.group == "root" else folder.group


def allowed(acl: bytes, user: int) -> int:
    """What an ACL, as its extended attribute has it, lets the user of this number do."""
    entries = list(_ACL_ENTRY.iter_unpack(acl[_ACL_VERSION.size :]))
    mask = next((rights for tag, rights, _ in entries if tag == _ACL_MASK), 7)
    named = (rights for tag, rights, who in entries if (tag, who) == (_ACL_USER, user))
    return next(named, 0) & mask


def hidden_by(folder: str, shown: Mapping[str, str]) -> list[str]:
    """The settings of Grafana's unit, as `systemctl show` has them, that hide a folder from it."""
    path = PurePosixPath(folder)
    return [
        setting
        for setting, places in _HIDDEN.items()
        if shown.get(setting, "no") != "no" and any(path.is_relative_to(one) for one in places)
    ]


def drop_in(hidden: list[str], group: str) -> str:
    """A drop-in for Grafana's unit: what hides the folder is off; it is of the group, if any."""
    off = "".join(f"{setting}=false\n" for setting in hidden)
    rights = (f"SupplementaryGroups={group}\n" if group else "") + "UMask=0007\n"
    return f"# Written by `evc doctor --fix`.\n[Service]\n{off}{rights}"


def in_the_way(hidden: list[str], way: Way, shown: Mapping[str, str]) -> dict[str, str]:
    """What is in Grafana's way, in a few words → what helps; nothing for one that can read."""
    found = [f"{setting} hides it" for setting in hidden]
    found += _of_several(way, shown) if way.shared else _of_one(way, shown)
    groups = {*_groups(shown)} | (set() if way.shared else {group_of(way.folder, shown)})
    closed = [one for one in way.above if not _lets_through(one, groups)]
    return dict.fromkeys(found, FIX) | {
        f"{one.path} lets nobody through": f"chmod o+x {one.path}" for one in closed
    }


def _of_several(way: Way, shown: Mapping[str, str]) -> list[str]:
    """Grafana must have rights of its own: the group's would give it the keys."""
    found = []
    if way.folder.group in _groups(shown):
        found.append(f"it is of the group {way.folder.group}, which reads the fleet's keys")
    if not _let_in(way):
        found.append(f"no ACL lets {user_of(shown)} alone in")
    return found


def _of_one(way: Way, shown: Mapping[str, str]) -> list[str]:
    group, found = group_of(way.folder, shown), []
    if _let_in(way):
        return []
    if group not in _groups(shown):
        found.append(f"it is not of the folder's group {group}")
    if way.folder.group != group:
        found.append(f"the folder's group is {way.folder.group}, not {group}")
    if way.folder.mode & FOLDER_MODE != FOLDER_MODE:
        found.append(f"the folder's mode is {way.folder.mode:o}, not {FOLDER_MODE:o}")
    if way.file.group != group or way.file.mode & FILE_MODE != FILE_MODE:
        found.append(f"the file is {way.file.group}'s, {way.file.mode:o}, not {FILE_MODE:o}")
    return found


def _let_in(way: Way) -> bool:
    """Whether an ACL lets Grafana itself read and write."""
    return way.folder.own == 0o7 and way.file.own & 0o6 == 0o6


def _groups(shown: Mapping[str, str]) -> list[str]:
    return [*shown.get("SupplementaryGroups", "").split(), shown.get("Group", "")]


def _lets_through(folder: Rights, groups: set[str]) -> bool:
    by_mode = folder.mode & (0o010 if folder.group in groups else 0o001)
    return bool(by_mode or folder.own & 0o1)
