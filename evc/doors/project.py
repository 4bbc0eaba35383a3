"""A project folder on disk: its config, the files that go into an image, tars of them."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from evc.pure.errors import BadInput
from evc.pure.images import File
from evc.pure.layout import CONFIG, Part

MAX_FILES = 100_000
MAX_BYTES = 50 * 1024**3
MAX_TEXT_BYTES = 1_000_000
LFS_POINTER = b"version https://git-lfs"
# Times of change lie between 2000 and 2020; see `_entry`.
_FIRST_TIME, _TIMES = 946_684_800, 20 * 365 * 86_400


def config_text(folder: Path) -> str:
    """The text of a project's `myEVCconfig.yaml`; raises BadInput."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder")
    text = _text(folder, CONFIG)
    if not text:
        raise BadInput(f"{folder} has no {CONFIG}", "write one with model_name and version")
    return text


def dockerfile(folder: Path) -> str:
    """The project's own Dockerfile, or ''; raises BadInput."""
    return _text(folder, "Dockerfile")


def ignored(folder: Path) -> list[str]:
    """The patterns of the project's `.dockerignore`; raises BadInput."""
    lines = _text(folder, ".dockerignore").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _text(folder: Path, name: str) -> str:
    """A small text file of a project that may be hostile, or '' where there is none."""
    file = folder / name
    if not file.exists() and not file.is_symlink():
        return ""
    if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file():
        raise BadInput(f"{name} is no file of the project", "a link must not lead out of it")
    with file.open("rb") as content:
        data = content.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise BadInput(f"{file} is larger than {MAX_TEXT_BYTES:,} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} is not UTF-8 text (byte {error.start})") from None


def files(folder: Path, paths: Iterable[str]) -> list[File]:
    """`paths` of a project as File values; raises BadInput for links out and for too much."""
    root, size = folder.resolve(), 0
    found: list[File] = []
    for path in sorted(paths):
        file = folder / path
        if not file.resolve().is_relative_to(root):
            raise BadInput(f"{path} leads out of the project", "copy what it points to")
        if not file.is_file():
            continue
        size += file.stat().st_size
        if len(found) >= MAX_FILES or size > MAX_BYTES:
            raise BadInput(f"{folder} has more than {MAX_FILES:,} files or {MAX_BYTES:,} bytes")
        found.append(_file(file, path))
    return found


def _file(file: Path, path: str) -> File:
    with file.open("rb") as content:
        if content.read(len(LFS_POINTER)) == LFS_POINTER:
            raise BadInput(f"{path} is only a Git LFS pointer", "git lfs pull, and give the folder")
        content.seek(0)
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    status = file.stat()
    return File(path, bool(status.st_mode & 0o100), digest, status.st_size)


def pack(folder: Path, part: Part, extra: Mapping[str, str], target: Path) -> None:
    """Write a part of `folder` as a tar; `extra` are further files (context path → text)."""
    with tarfile.open(target, "w") as archive:
        for path, file in sorted(part.files.items()):
            with (folder / file.path).open("rb") as content:
                archive.addfile(_entry(path, file.size, file.executable, file.sha256), content)
        for path, text in sorted(extra.items()):
            data = text.encode()
            entry = _entry(path, len(data), False, hashlib.sha256(data).hexdigest())
            archive.addfile(entry, io.BytesIO(data))
    target.chmod(0o600)


def _entry(path: str, size: int, executable: bool, sha256: str) -> tarfile.TarInfo:
    """Its time is made of its content: the same for the same, and another for another.

    BuildKit takes a file whose size and time did not change for unchanged.
    """
    entry = tarfile.TarInfo(path)
    entry.size, entry.mtime = size, _FIRST_TIME + int(sha256[:12], 16) % _TIMES
    entry.mode = 0o755 if executable else 0o644
    return entry
