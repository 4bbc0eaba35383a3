"""The dashboards as files, for a Grafana that is anywhere."""

from __future__ import annotations

from pathlib import Path

from evc.doors import fleet as fleets
from evc.doors.fleet import Fleet
from evc.pure import grafana
from evc.pure.errors import BadInput
from evc.pure.grafana import Source


def export(fleet: Fleet, folder: Path) -> list[Path]:
    """Write dashboards and provisioning below `folder`, for a Grafana on this machine; the files.

    Raises BadInput when they cannot be written there.
    """
    return write(Source(fleet.id), folder, str(fleet.database), str(folder.absolute()))


def write(source: Source, folder: Path, database: str, seen: str) -> list[Path]:
    """The same, where Grafana sees the database at one path and `folder` at another."""
    files = {
        **{f"dashboards/{name}": text for name, text in grafana.dashboards(source).items()},
        **{
            f"provisioning/{name}": text
            for name, text in grafana.provisioning(source, database, f"{seen}/dashboards").items()
        },
    }
    written = [folder / name for name in files]
    try:
        for path, text in zip(written, files.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            fleets.replace(path, text)
    except OSError as error:
        raise BadInput(f"{error.filename} cannot be written: {error.strerror}") from None
    return written
