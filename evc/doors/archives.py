"""Reading an archive's list of members from disk, at a cost that its size on disk bounds."""

from __future__ import annotations

import contextlib
import gzip
import tarfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from evc.pure import archives
from evc.pure.archives import MAX_BYTES, Kind, Member
from evc.pure.errors import BadInput, EvcError

MAX_RATIO = 200
# A small archive may unpack to this much, however well it is compressed.
RATIO_FROM_BYTES = 100 * 1000**2
# What may lie between two members: their headers, long names and extended attributes.
MAX_HEADERS = 1024**2
BUFFER = 65536
_GZIP = b"\x1f\x8b"
_KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.GNUTYPE_SPARSE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "fifo",
}
# What Python's tar and gzip readers raise for bytes that are neither.
_DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, ArithmeticError,
           LookupError, RecursionError)  # fmt: skip


def inspect(path: Path, names: Collection[str] = ()) -> list[str]:
    """Look at every entry of a tar (plain or gzip); raises BadInput for what must not be unpacked.

    The paths in it that end with one of `names`. Raises EvcError for a file that cannot be read.
    Nothing is written.
    """
    found: list[str] = []
    try:
        size = path.stat().st_size
        file = path.open("rb") if path.is_file() else None
    except OSError as error:
        raise EvcError(f"{path} cannot be read: {error.strerror}") from None
    if file is None:
        raise BadInput(f"{path} is not a file")
    with file, _named(path):
        archives.check(_noted(_members(_Unpacked(file, size)), names, found))
    return found


def _noted(members: Iterable[Member], names: Collection[str], found: list[str]) -> Iterator[Member]:
    """The members unchanged; the paths of those that are wanted go into `found`."""
    for member in members:
        if member.name.rpartition("/")[2] in names:
            found.append(member.name)
        yield member


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say which archive it is; what breaks a reader is damage."""
    try:
        yield
    except EvcError as error:
        raise BadInput(f"{path}: {error.message}", error.remedy) from None
    except _DAMAGE as error:
        said = " ".join(str(error).split())[:100]
        raise BadInput(
            f"{path} is damaged, or no tar or tar.gz: {said!r}", "pack it anew"
        ) from None


def _members(content: _Unpacked) -> Iterator[Member]:
    file = cast(IO[bytes], content)
    with tarfile.open(fileobj=file, mode="r|", tarinfo=_Entry, bufsize=BUFFER) as archive:
        while (entry := archive.next()) is not None:
            content.declare(entry.name, entry.size)
            content.allow(archive.offset + MAX_HEADERS)
            kind = _KINDS.get(entry.type, "other")
            yield Member(entry.name, kind, entry.mode, entry.size, entry.linkname)
            archive.members = []  # type: ignore[attr-defined]  # or a million stay in memory
            if sum(map(len, archive.pax_headers.values())) > MAX_HEADERS:
                raise BadInput(f"the archive's headers are larger than {MAX_HEADERS:,} bytes")


class _Entry(tarfile.TarInfo):
    """A header. One that is damaged is an error here; `tarfile` takes it for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Entry:
        try:
            entry = super().frombuf(buf, encoding, errors)
        except (tarfile.EmptyHeaderError, tarfile.EOFHeaderError):  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise BadInput(f"the archive is damaged: {str(error)[:100]!r}") from None
        if entry.size < 0:
            raise BadInput(f"the archive's entry {archives.shown(entry.name)} has a negative size")
        return entry


class _Unpacked:
    """An archive's unpacked bytes, read in order, up to what was allowed so far."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        magic = file.read(len(_GZIP))
        file.seek(0)
        self._file = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if magic == _GZIP else file
        self._most = min(MAX_BYTES, max(RATIO_FROM_BYTES, MAX_RATIO * size))
        self._declared = self._read = 0
        self._allowed = MAX_HEADERS

    def read(self, size: int) -> bytes:
        """Raises BadInput past what is allowed: headers may be a bomb as well as files."""
        if self._read + size > self._allowed + BUFFER:
            raise BadInput(f"between two entries are more than {MAX_HEADERS:,} bytes of headers")
        piece = self._file.read(size)
        self._read += len(piece)
        if self._read > self._most + MAX_HEADERS:
            raise BadInput(f"the archive unpacks to more than {self._most:,} bytes")
        return piece

    def allow(self, position: int) -> None:
        """Let reading go on up to `position`, in unpacked bytes."""
        self._allowed = position

    def declare(self, name: str, size: int) -> None:
        """Note what an entry unpacks to before it is read; raises BadInput for a bomb."""
        self._declared += size
        if self._declared > self._most:
            raise BadInput(f"with its entry {archives.shown(name)} the archive unpacks to more than"
                           f" {self._most:,} bytes: it would fill the disk")  # fmt: skip
