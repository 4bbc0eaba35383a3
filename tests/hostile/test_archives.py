"""Hostile archives as real files: what they hold, and what looking at them costs."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from evc.doors.archives import inspect
from evc.pure.errors import BadInput, EvcError

MEGABYTE = 1024**2


def entry(name: str, kind: bytes = tarfile.REGTYPE, **values: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for key, value in values.items():
        setattr(made, key, value)
    return made


def packed(path: Path, *entries: tarfile.TarInfo) -> Path:
    """A tar.gz of `entries`, each filled with zeros up to its size."""
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for one in entries:
            archive.addfile(one, io.BytesIO(bytes(one.size)))
    return path


REFUSED = {
    "parent": ([entry("../x")], r"'\.\./x' leads out"),
    "parent inside": ([entry("a/../../x")], "leads out"),
    "absolute": ([entry("/etc/cron.d/x")], "'/etc/cron.d/x' has an absolute name"),
    "symlink out": ([entry("x", tarfile.SYMTYPE, linkname="../x")], "'x' is a link that leads out"),
    "symlink absolute": ([entry("x", tarfile.SYMTYPE, linkname="/etc/shadow")], "leads out"),
    "symlink through a symlink": (
        [entry("a/b", tarfile.SYMTYPE, linkname=".."),
         entry("c", tarfile.SYMTYPE, linkname="a/b/..")],
        "'c' is a link that leads out",
    ),
    "behind a symlink": ([entry("a", tarfile.SYMTYPE, linkname="b"), entry("a/x")], "a symlink"),
    "a symlink where a folder was": (
        [entry("a/x"), entry("a", tarfile.SYMTYPE, linkname="b")], "a folder elsewhere",
    ),
    "hard link out": ([entry("x", tarfile.LNKTYPE, linkname="../../etc/shadow")], "no file before"),
    "hard link to a symlink": (
        [entry("a/b/s", tarfile.SYMTYPE, linkname="../../x"),
         entry("s", tarfile.LNKTYPE, linkname="a/b/s")],
        "no file before",
    ),
    "device": ([entry("sda", tarfile.BLKTYPE, devmajor=8)], r"'sda' is no file.*device"),
    "terminal": ([entry("tty", tarfile.CHRTYPE)], "device"),
    "fifo": ([entry("pipe", tarfile.FIFOTYPE)], "fifo"),
    "another type": ([entry("x", b"V")], "no file, folder or link"),
    "setuid": ([entry("su", mode=0o4755)], "'su' is setuid"),
    "setgid": ([entry("mail", mode=0o2755)], "setuid or setgid"),
    "case": ([entry("Model.py"), entry("model.py")], "only in case"),
    "case of a folder": ([entry("A/x"), entry("a/y")], "only in case"),
    "case, composed": ([entry("caf\u00e9"), entry("CAFE\u0301")], "only in case"),
    "escape": ([entry("a\x1b[2Jb")], r"'a\\x1b\[2Jb' has control characters"),
    "newline": ([entry("a\nb")], "control characters"),
    "NUL": ([entry("a", pax_headers={"path": "a\0b"})], "control characters"),
    "bomb": ([entry("zeros", size=101 * MEGABYTE)], "'zeros'.*unpacks to more than"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_entry_named(tmp_path: Path, name: str) -> None:
    entries, said = REFUSED[name]
    path = packed(tmp_path / "model.tar.gz", entry("before"), *entries)
    with pytest.raises(BadInput, match=said) as caught:
        inspect(path)
    assert str(path) in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("flags", ["-cf", "-czf"])
def test_what_people_pack_passes(tmp_path: Path, flags: str) -> None:
    folder = tmp_path / "model"
    (folder / "code" / "deep").mkdir(parents=True)
    (folder / "code" / "app.py").write_text("x")
    (folder / ("긴이름" * 20)).mkdir()
    (folder / ("long-" * 40)).write_text("x")
    os.link(folder / "code" / "app.py", folder / "code" / "hard.py")
    (folder / "code" / "deep" / "link.py").symlink_to("../app.py")
    (folder / "weights").write_bytes(bytes(3 * MEGABYTE))
    archive = tmp_path / "model.tar.gz"
    for names in (["."], ["code", "weights"]):
        subprocess.run(["tar", "-C", str(folder), flags, str(archive), *names], check=True)
        inspect(archive)


def test_the_last_entry_of_many_is_looked_at(tmp_path: Path) -> None:
    files = [entry(f"dir{number % 100}/file{number}", size=100) for number in range(20_000)]
    inspect(packed(tmp_path / "good.tgz", *files))
    with pytest.raises(BadInput, match="last"):
        inspect(packed(tmp_path / "bad.tgz", *files, entry("../last")))


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    """`tarfile` stops there and says nothing; what is behind it would not be looked at."""
    hidden = bytearray(entry("../hidden").tobuf())
    hidden[148:156] = b"00000000"
    path = tmp_path / "model.tar"
    path.write_bytes(entry("before").tobuf() + bytes(hidden) + bytes(1024))
    with pytest.raises(BadInput, match="damaged"):
        inspect(path)


@pytest.mark.parametrize("content", [b"", b"text" * 1000, b"\x1f\x8b broken", bytes(600)])
def test_what_is_no_archive_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(content)
    if content == bytes(600):
        inspect(path)  # the end of an archive without entries
        return
    with pytest.raises(BadInput, match=r"damaged|no tar"):
        inspect(path)


def test_files_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("absent", ".", "pipe"):
        with pytest.raises(EvcError, match=r"not a file|cannot be read"):
            inspect(tmp_path / name)


def header_bomb(kind: bytes) -> Callable[[gzip.GzipFile], None]:
    """One header that says it is 8 GB long, and goes on for as long as anybody reads."""

    def write(file: gzip.GzipFile) -> None:
        file.write(entry("long", kind, size=8 * 1024**3).tobuf(tarfile.GNU_FORMAT))
        for _ in range(300):
            file.write(bytes(MEGABYTE))

    return write


def global_headers(file: gzip.GzipFile) -> None:
    """Global headers of half a megabyte each, all of which `tarfile` remembers."""
    for number in range(400):
        record = f" key{number}={'x' * 500_000}\n"
        text = f"{len(record) + 6}{record}".encode()
        file.write(entry("global", tarfile.XGLTYPE, size=len(text)).tobuf() + text)
        file.write(bytes(-len(text) % 512) + entry(f"file{number}").tobuf())


def endless_chain(file: gzip.GzipFile) -> None:
    file.write(entry("chain", tarfile.XHDTYPE).tobuf() * 5000)


BOMBS = {
    "pax": header_bomb(tarfile.XHDTYPE),
    "long name": header_bomb(tarfile.GNUTYPE_LONGNAME),
    "global": global_headers,
    "chain": endless_chain,
}
MEASURED = """
import resource, sys
from pathlib import Path
from evc.doors.archives import inspect
from evc.pure.errors import BadInput
resource.setrlimit(resource.RLIMIT_DATA, (60_000_000, 60_000_000))
try:
    inspect(Path(sys.argv[1]))
except BadInput as error:
    sys.exit(f"refused: {error}")
"""


def inspected_in_60_megabytes(path: Path) -> str:
    """What a process with that little memory says of an archive, '' when nothing."""
    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-c", MEASURED, str(path)]
    done = subprocess.run(command, cwd=root, capture_output=True, timeout=60, check=False)
    return done.stderr.decode()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_in_headers_costs_neither_memory_nor_time(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        BOMBS[name](file)
    assert inspected_in_60_megabytes(path).startswith("refused:")


def test_memory_stays_flat_over_many_entries(tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(120):
            file.write(entry("same").tobuf() * 1000)
    assert inspected_in_60_megabytes(path) == ""


def test_the_entries_that_were_asked_for_are_named(tmp_path: Path) -> None:
    names = ("app.py", "./model/app.py", "model/myapp.py", "app.py.bak", "weights/x")
    path = packed(tmp_path / "model.tar.gz", *(entry(name) for name in names))
    assert inspect(path, ["app.py"]) == ["app.py", "./model/app.py"]
    assert inspect(path) == []
