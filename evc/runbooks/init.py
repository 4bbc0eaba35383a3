"""Make a fleet folder, or give a project its config."""

from __future__ import annotations

import shutil
from pathlib import Path

from evc.doors import archives
from evc.doors import fleet as fleets
from evc.doors.fleet import CONFIG, Fleet
from evc.pure import layout, project_file
from evc.pure.errors import BadInput


def init(folder: Path, group: str = "") -> Fleet:
    """Make `folder` a fleet folder, one's own or a Unix group's; raises BadInput if it is one."""
    try:
        if (folder / CONFIG).exists():
            raise BadInput(f"{folder / CONFIG} exists already", "use it, or choose a new DIR")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise BadInput(f"{str(folder)[:80]!r} cannot be made: {error.args[-1]}") from None
    if group:
        fleets.join(group, folder)
        fleets.work_together(folder)
    shutil.copyfile(fleets.share() / CONFIG, folder / CONFIG)
    fleet = Fleet(folder.absolute())
    _ = fleet.id
    ignored = folder / ".gitignore"
    if not ignored.exists():
        fleets.replace(ignored, "/certs/\n/db/\n")
    return fleet


def init_project(folder: Path) -> Path:
    """Write a commented `myEVCconfig.yaml` for the project in `folder`; its path.

    Raises BadInput for a folder that has one, or that is none.
    """
    file = folder / layout.CONFIG
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder")
    if file.exists() or file.is_symlink():
        raise BadInput(f"{file} exists already", "change it, or remove it first")
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    programs = list(project_file.PROGRAMS.values())
    packed = [
        inside.rpartition("/")[2]
        for name in names
        if name.endswith(layout.ARCHIVES)
        for inside in archives.inspect(folder / name, programs)
    ]
    fleets.replace(file, project_file.text(folder.absolute().name, names, packed))
    return file
