"""What an archive's list of members may hold: nothing that lands outside, and no bomb.

Refused rather than repaired: Python's `data` filter strips a leading slash, other programs do not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Literal, NamedTuple

from evc.pure.errors import BadInput

MAX_MEMBERS = 1_000_000
MAX_BYTES = 20 * 1024**3
MAX_NAME = 1024
MAX_DEPTH = 64
# Characters of all names together: what is remembered of them stays in memory.
MAX_NAMES = 100_000_000

Kind = Literal["file", "folder", "symlink", "link", "device", "fifo", "other"]


class Member(NamedTuple):
    """One entry of an archive; `size` in bytes, unpacked."""

    name: str
    type: Kind
    mode: int = 0o644
    size: int = 0
    linkname: str = ""


def check(members: Iterable[Member]) -> None:
    """Raise BadInput naming the first entry that must not be unpacked."""
    seen = _Seen()
    size = 0
    for count, member in enumerate(members, 1):
        if count > MAX_MEMBERS:
            raise BadInput(f"the archive has more than {MAX_MEMBERS:,} entries")
        path = _path(member.name)
        _check_kind(member)
        size += member.size
        if member.size < 0 or size > MAX_BYTES:
            raise _refused(
                member.name, f"makes the archive unpack to more than {MAX_BYTES:,} bytes"
            )
        seen.add(path, member)


def shown(name: str) -> str:
    """A name as a message may show it: short, and nothing in it that a terminal obeys."""
    return repr(name if len(name) <= 120 else f"{name[:120]}…")


def _refused(name: str, problem: str, remedy: str = "") -> BadInput:
    return BadInput(f"the archive's entry {shown(name)} {problem}", remedy or "pack it anew")


def _path(name: str) -> tuple[str, ...]:
    """A member's name as its parts, `.` left out; raises BadInput."""
    if name.startswith("/"):
        raise _refused(name, "has an absolute name", "pack with `tar -C FOLDER .`")
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        raise _refused(name, "has control characters in its name")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise _refused(name, "leads out of the archive", "pack with `tar -C FOLDER .`")
    if len(name) > MAX_NAME or len(parts) > MAX_DEPTH:
        raise _refused(name, f"is longer than {MAX_NAME} characters or {MAX_DEPTH} folders deep")
    return parts


def _check_kind(member: Member) -> None:
    if member.type not in ("file", "folder", "symlink", "link"):
        raise _refused(member.name, f"is no file, folder or link ({member.type})", "leave it out")
    if member.mode & 0o6000:
        raise _refused(member.name, "is setuid or setgid", "pack with `tar --mode=ug-s`")


class _Seen:
    """The paths of an archive so far, and what each one is."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}
        self._spellings: dict[str, str] = {}
        self._characters = 0

    def add(self, parts: tuple[str, ...], member: Member) -> None:
        """Take one more member; raises BadInput when it does not go with the others."""
        for depth in range(1, len(parts)):
            self._place("/".join(parts[:depth]), "folder", member.name)
        path = "/".join(parts)
        if not path and member.type != "folder":
            raise _refused(member.name, "is not a folder, but stands for the archive's own")
        if member.type == "symlink":
            _check_symlink(parts, member)
        if member.type == "link":
            self._check_link(member)
        self._place(path, "file" if member.type == "link" else member.type, member.name)

    def _place(self, path: str, kind: Kind, name: str) -> None:
        """Note what is at `path`. A path is one thing for good: nothing lies behind a link."""
        known = self._kinds.get(path)
        if known is None:
            self._note(path, name)
            self._kinds[path] = kind
        elif known != kind:
            raise _refused(name, f"makes {shown(path)} a {kind}, which is a {known} elsewhere")

    def _note(self, path: str, name: str) -> None:
        folded = unicodedata.normalize("NFC", path).casefold()
        other = self._spellings.setdefault(folded, path)
        if other != path:
            raise _refused(name, f"differs from {shown(other)} only in case", "rename one of them")
        self._characters += len(path)
        if self._characters > MAX_NAMES:
            raise _refused(name, f"makes all names longer than {MAX_NAMES:,} characters")

    def _check_link(self, member: Member) -> None:
        """A hard link to a symlink would move it to where its target is another one."""
        parts = [part for part in member.linkname.split("/") if part not in ("", ".")]
        if member.linkname.startswith("/") or self._kinds.get("/".join(parts)) != "file":
            raise _refused(member.name, f"is a link to {shown(member.linkname)}, no file before it")


def _check_symlink(parts: tuple[str, ...], member: Member) -> None:
    """Only leading `..`, and no more than there are folders above the link.

    A `..` behind a name could leave through another link (`a -> .`, `b -> a/..`). Since nothing
    lies behind a link, the folders above this one are real.
    """
    target = member.linkname
    steps = [part for part in target.split("/") if part not in ("", ".")]
    up = next((index for index, part in enumerate(steps) if part != ".."), len(steps))
    outside = target.startswith("/") or up > len(parts) - 1 or ".." in steps[up:]
    if outside or not target or "\0" in target:
        raise _refused(member.name, f"is a link that leads out: {shown(target)}", "pack the file")
