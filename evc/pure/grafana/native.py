"""What keeps a Grafana that systemd runs from the database, and the drop-in that lets it.

Grafana's unit may hide /home and give it a /tmp of its own (systemd.exec(5)); and a reader of a
WAL database needs to write beside it, without locking its owner out: it gets the folder's group.
"""

from __future__ import annotations

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


@dataclass(frozen=True)
class Rights:
    """Of a folder or file: its mode, the name of its group."""

    path: str
    mode: int
    group: str


@dataclass(frozen=True)
class Way:
    """What Grafana passes to the database: the folders above, the database's own, the file."""

    above: Sequence[Rights]
    folder: Rights
    file: Rights


def group_of(folder: Rights, shown: Mapping[str, str]) -> str:
    """The group that Grafana reaches a folder by; root's own is not given away for it."""
    return shown.get("Group") or "grafana" if folder.group == "root" else folder.group


def hidden_by(folder: str, shown: Mapping[str, str]) -> list[str]:
    """The settings of Grafana's unit, as `systemctl show` has them, that hide a folder from it."""
    path = PurePosixPath(folder)
    return [
        setting
        for setting, places in _HIDDEN.items()
        if shown.get(setting, "no") != "no" and any(path.is_relative_to(one) for one in places)
    ]


def drop_in(hidden: list[str], group: str) -> str:
    """A drop-in for Grafana's unit: what hides the folder is off, and it is of its group."""
    off = "".join(f"{setting}=false\n" for setting in hidden)
    rights = f"SupplementaryGroups={group}\nUMask=0007\n"
    return f"# Written by `evc doctor --fix`.\n[Service]\n{off}{rights}"


def in_the_way(hidden: list[str], way: Way, shown: Mapping[str, str]) -> dict[str, str]:
    """What is in Grafana's way, in a few words → what helps; nothing for one that can read."""
    group = group_of(way.folder, shown)
    found = [f"{setting} hides it" for setting in hidden]
    if group not in _groups(shown):
        found.append(f"it is not of the folder's group {group}")
    if way.folder.group != group:
        found.append(f"the folder's group is {way.folder.group}, not {group}")
    if way.folder.mode & FOLDER_MODE != FOLDER_MODE:
        found.append(f"the folder's mode is {way.folder.mode:o}, not {FOLDER_MODE:o}")
    if way.file.group != group or way.file.mode & FILE_MODE != FILE_MODE:
        found.append(f"the file is {way.file.group}'s, {way.file.mode:o}, not {FILE_MODE:o}")
    closed = [one for one in way.above if not _lets_through(one, {group, *_groups(shown)})]
    return dict.fromkeys(found, FIX) | {
        f"{one.path} lets nobody through": f"chmod o+x {one.path}" for one in closed
    }


def _groups(shown: Mapping[str, str]) -> list[str]:
    return [*shown.get("SupplementaryGroups", "").split(), shown.get("Group", "")]


def _lets_through(folder: Rights, groups: set[str]) -> bool:
    return bool(folder.mode & (0o010 if folder.group in groups else 0o001))
