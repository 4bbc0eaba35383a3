"""Files that only a passphrase opens: AES-256-GCM in chunks, the key by scrypt (RFC 7914).

MAGIC, 16 bytes of salt, then chunks: 4 big-endian bytes of length, the sealed chunk. A chunk's
nonce is its number; whether it is the last is sealed with it, so that a file cut short is noticed.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from evc.pure.errors import EvcError
from evc.pure.secret import Secret

MAGIC = b"EVC backup 1\n"
CHUNK_BYTES = 1024 * 1024
_SALT_BYTES, _TAG_BYTES = 16, 16
_COST = 2**16  # 64 MB and a fifth of a second for each guess


@contextlib.contextmanager
def sealed(path: Path, passphrase: Secret) -> Iterator[IO[bytes]]:
    """A new 0600 file at `path` to be written to; there is none when the block fails."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            salt = os.urandom(_SALT_BYTES)
            file.write(MAGIC + salt)
            writer = _Writer(file, _key(passphrase, salt))
            yield io.BufferedWriter(writer, CHUNK_BYTES)
            writer.finish()
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(path: Path, passphrase: Secret) -> Iterator[IO[bytes]]:
    """What was sealed in `path`, to be read; raises EvcError for another passphrase, or damage."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise EvcError(f"{path} is no backup of EVC's")
        key = _key(passphrase, file.read(_SALT_BYTES))
        yield io.BufferedReader(_Reader(file, key, path), CHUNK_BYTES)


def _key(passphrase: Secret, salt: bytes) -> AESGCM:
    kdf = Scrypt(salt=salt, length=32, n=_COST, r=8, p=1)
    return AESGCM(kdf.derive(passphrase.reveal().encode()))


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


class _Writer(io.RawIOBase):
    def __init__(self, file: IO[bytes], key: AESGCM) -> None:
        self._file, self._key, self._number, self._rest = file, key, 0, bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self._rest += memoryview(data)  # type: ignore[arg-type]
        while len(self._rest) > CHUNK_BYTES:
            self._seal(bytes(self._rest[:CHUNK_BYTES]), b"more")
            del self._rest[:CHUNK_BYTES]
        return len(memoryview(data))  # type: ignore[arg-type]

    def finish(self) -> None:
        self._seal(bytes(self._rest), b"last")

    def _seal(self, data: bytes, place: bytes) -> None:
        chunk = self._key.encrypt(_nonce(self._number), data, place)
        self._file.write(struct.pack(">I", len(chunk)) + chunk)
        self._number += 1


class _Reader(io.RawIOBase):
    def __init__(self, file: IO[bytes], key: AESGCM, path: Path) -> None:
        self._file, self._key, self._path = file, key, path
        self._number, self._data, self._ended = 0, b"", False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        while not self._data and not self._ended:
            self._next()
        size = min(len(target), len(self._data))
        target[:size], self._data = self._data[:size], self._data[size:]
        return size

    def _next(self) -> None:
        head = self._file.read(4)
        length = struct.unpack(">I", head)[0] if len(head) == 4 else 0
        chunk = self._file.read(min(length, CHUNK_BYTES + _TAG_BYTES))
        for place in (b"more", b"last"):
            with contextlib.suppress(InvalidTag):
                self._data = self._key.decrypt(_nonce(self._number), chunk, place)
                self._number, self._ended = self._number + 1, place == b"last"
                return
        what = (
            "is damaged or cut short" if self._number else "is damaged, or has another passphrase"
        )
        raise EvcError(f"{self._path} {what}")
