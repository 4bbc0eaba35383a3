"""What keeps a Grafana that systemd runs from the database, and the drop-in that lets it.

Grafana's unit may hide /home and give it a /tmp of its own (systemd.exec(5)); and a reader of a
WAL database needs to write beside it, without locking its owner out: it gets the folder's group.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

UNIT = "grafana-server.service"
DROP_IN = "evc.conf"
FOLDER_MODE, FILE_MODE = 0o2770, 0o660
_HIDDEN = {
    "ProtectHome": ("/home", "/root", "/run/user"),
    "PrivateTmp": ("/tmp", "/var/tmp"),
}


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


def in_the_way(
    hidden: list[str], group: str, shown: Mapping[str, str], folder_mode: int, file_mode: int
) -> list[str]:
    """What is in Grafana's way, each in a few words; nothing for one that can read."""
    found = [f"{setting} hides it" for setting in hidden]
    if group not in shown.get("SupplementaryGroups", "").split():
        found.append(f"it is not of the folder's group {group}")
    if folder_mode & FOLDER_MODE != FOLDER_MODE:
        found.append(f"the folder's mode is {folder_mode:o}, not {FOLDER_MODE:o}")
    if file_mode & FILE_MODE != FILE_MODE:
        found.append(f"the file's mode is {file_mode:o}, not {FILE_MODE:o}")
    return found
