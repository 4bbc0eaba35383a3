"""Tars of a project: the same bytes for the same files, another time for another content."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from evc.doors import project
from evc.pure.images import File
from evc.pure.layout import Part


def packed(folder: Path, text: str, name: str) -> Path:
    (folder / "app.py").write_text(text)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    part = Part("code", {"code/app.py": File("app.py", False, sha256, len(text))})
    project.pack(folder, part, {"Dockerfile": "FROM scratch\n"}, folder / name)
    return folder / name


def time_of(archive: Path, name: str) -> float:
    with tarfile.open(archive) as tar:
        return tar.getmember(name).mtime


def test_an_edit_of_the_same_length_has_another_time(tmp_path: Path) -> None:
    """BuildKit takes a file whose size and time did not change for unchanged."""
    one, other = packed(tmp_path, "a = 1\n", "one"), packed(tmp_path, "a = 2\n", "other")
    assert time_of(one, "code/app.py") != time_of(other, "code/app.py")
    assert time_of(one, "Dockerfile") == time_of(other, "Dockerfile")


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    one, again = packed(tmp_path, "a = 1\n", "one"), packed(tmp_path, "a = 1\n", "again")
    assert one.read_bytes() == again.read_bytes()
