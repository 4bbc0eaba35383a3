"""SSH keys: EVC's own, those it makes for others, and how known_hosts names the hosts'."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import asyncssh


@dataclass(frozen=True)
class HostKey:
    """A host's public key: a line for known_hosts, and the fingerprint people compare."""

    line: str
    fingerprint: str


def ensure_key(path: Path, comment: str, mode: int = 0o600) -> str:
    """EVC's own key pair at `path`, made when missing; the public half as one line."""
    if not path.exists():
        private, public = key_pair(comment)
        draft = path.with_suffix(".draft")
        draft.touch(mode=mode)
        draft.write_text(private)
        path.with_suffix(".pub").write_text(f"{public}\n")
        draft.replace(path)
    return path.with_suffix(".pub").read_text().strip()


def key_pair(comment: str) -> tuple[str, str]:
    """A new key: the private half as a file's text, the public half as one line."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
    return key.export_private_key().decode(), key.export_public_key().decode().strip()


def pattern(address: str, port: int) -> str:
    """How known_hosts names a host on a port."""
    return address if port == 22 else f"[{address}]:{port}"


def fingerprint(line: str) -> str:
    """The fingerprint of a known_hosts line."""
    return asyncssh.import_public_key(line.split(None, 1)[1]).get_fingerprint()
