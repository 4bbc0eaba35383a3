"""Following a program on a node that lets EVC in and then does not do what it should."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from evc.doors import ssh
from evc.doors.ssh import connections, programs
from evc.doors.ssh.connections import SshError, Target

SECONDS = 0.5


class Mute(asyncssh.SSHServer):
    """Lets anyone in, and never answers when a program is asked for."""

    def begin_auth(self, username: str) -> bool:
        return False

    async def session_requested(self) -> Any:  # type: ignore[override]
        await asyncio.Event().wait()


async def followed(folder: Path, server: type[asyncssh.SSHServer]) -> tuple[str, bool]:
    """Why following a program there ended, and whether the place in the gate is free again."""
    key, gate = asyncssh.generate_private_key("ssh-ed25519"), asyncio.Semaphore(1)
    async with asyncssh.listen("127.0.0.1", 0, server_factory=server, server_host_keys=[key]) as up:
        port, known = up.get_port(), folder / "known_hosts"
        public = key.export_public_key().decode()
        known.write_text(f"{ssh.pattern('127.0.0.1', port)} {public}")
        ssh.ensure_key(folder / "key", "test")
        target = Target("bad", "127.0.0.1", port, "evc", folder / "key", known)
        with pytest.raises(SshError) as failed:
            async for _ in programs.follow(target, ["cat"], gate, 60.0):
                pass
        return failed.value.message, not gate.locked()


def test_a_program_that_is_never_begun_holds_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "CONNECT_SECONDS", SECONDS)
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 10.0)
    told, free = asyncio.run(asyncio.wait_for(followed(tmp_path, Mute), 20.0))
    assert "did not answer within" in told and free


def test_a_byte_now_and_then_is_no_line() -> None:
    async def read(_: int) -> bytes:
        await asyncio.sleep(SECONDS / 5)
        return b"x"

    async def lines() -> None:
        async for _ in programs._split(read, SECONDS):
            pass

    async def ended() -> None:
        with pytest.raises(TimeoutError):
            await lines()

    asyncio.run(asyncio.wait_for(ended(), 20 * SECONDS))
