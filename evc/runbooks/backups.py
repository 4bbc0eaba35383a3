"""Backup and restore: everything that a controller is, in one encrypted file.

The database as of one moment, whoever writes to it meanwhile; keys and CA, config and inventory;
the registry's images on request. Agents keep their rings: a restored logger reads on from there.
"""

from __future__ import annotations

import contextlib
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from evc.doors import fleet as fleets
from evc.doors import seals
from evc.doors import store as stores
from evc.doors.fleet import CONFIG, Fleet
from evc.doors.store import Store
from evc.pure.errors import BadInput, EvcError
from evc.pure.secret import Secret
from evc.runbooks import audit, generations

DATABASE, IMAGES = "db/edge_logs.db3", "db/registry"
FILES = (CONFIG, "hosts.ini", ".gitignore", "certs")
MIN_PASSPHRASE = 8


def backup(fleet: Fleet, store: Store, path: Path, passphrase: Secret, images: bool) -> int:
    """Write the backup to `path`; its size in bytes. Raises EvcError."""
    if len(passphrase.reveal()) < MIN_PASSPHRASE:
        raise BadInput(f"a passphrase has {MIN_PASSPHRASE} characters or more")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=fleet.database.parent) as folder:
        copy = Path(folder) / "copy"
        store.copy(copy)
        with seals.sealed(path, passphrase) as file:
            _pack(fleet, copy, file, images)
    audit.record(store, f"backup --to {path}", {}, "done")
    return path.stat().st_size


def _pack(fleet: Fleet, database: Path, file: object, images: bool) -> None:
    with tarfile.open(fileobj=file, mode="w|gz") as archive:  # type: ignore[call-overload]
        archive.add(database, DATABASE)
        for name in [*FILES, *([IMAGES] if images else [])]:
            if (fleet.root / name).exists():
                archive.add(fleet.root / name, name)
    file.flush()  # type: ignore[attr-defined]


def restore(path: Path, folder: Path, passphrase: Secret) -> Fleet:
    """Make `folder`, new or empty, the fleet folder that was backed up; whole or not at all."""
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder} is not empty", "restore into a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _draft(folder) as draft:
        with seals.opened(path, passphrase) as file:
            _unpack(path, file, draft)
        _check(draft)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    fleet = fleets.find(folder)
    generations.begin(fleet)
    with stores.opened(fleet.database, fleets.share() / "db") as store:
        audit.record(store, f"restore {path}", {}, "done")
    return fleet


@contextlib.contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    draft = Path(tempfile.mkdtemp(prefix=".restore-", dir=folder.parent))
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _unpack(path: Path, file: object, draft: Path) -> None:
    try:
        with tarfile.open(fileobj=file, mode="r|gz") as archive:  # type: ignore[call-overload]
            for member in archive:
                if not _ours(member):
                    raise EvcError(f"{path} holds {member.name[:80]!r}, which no backup has")
                archive.extract(member, draft, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise EvcError(f"{path} cannot be unpacked: {error}") from None
    (draft / "certs").chmod(0o700)


def _ours(member: tarfile.TarInfo) -> bool:
    parts = PurePosixPath(member.name).parts
    top = "/".join(parts[:2]) if parts[:1] == ("db",) else parts[0]
    known = top in (*FILES, DATABASE, IMAGES) and ".." not in parts
    return known and (member.isfile() or member.isdir())


def _check(draft: Path) -> None:
    with stores.opened(draft / DATABASE, fleets.share() / "db") as store:
        found = store.rows("PRAGMA integrity_check(5)")
    if found != [{"integrity_check": "ok"}]:
        raise EvcError(f"its database is damaged: {found}")
