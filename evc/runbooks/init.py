"""Make a fleet folder: config, inventory, and the private folder for keys."""

from __future__ import annotations

import shutil
from pathlib import Path

from evc.doors import fleet as fleets
from evc.doors.fleet import CONFIG, Fleet
from evc.pure.errors import BadInput


def init(folder: Path) -> Fleet:
    """Make `folder` a fleet folder; raises BadInput when it already is one."""
    try:
        if (folder / CONFIG).exists():
            raise BadInput(f"{folder / CONFIG} exists already", "use it, or choose a new DIR")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise BadInput(f"{str(folder)[:80]!r} cannot be made: {error.args[-1]}") from None
    shutil.copyfile(fleets.share() / CONFIG, folder / CONFIG)
    fleet = Fleet(folder.absolute())
    _ = fleet.id
    ignored = folder / ".gitignore"
    if not ignored.exists():
        fleets.replace(ignored, "/certs/\n/db/\n")
    return fleet
