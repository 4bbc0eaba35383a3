"""Connections to nodes: EVC's key, the pinned host key, jump hosts on the way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncssh

from evc.doors.ssh.keys import HostKey, pattern
from evc.doors.ssh.wire import Wire
from evc.pure.errors import EvcError

CONNECT_SECONDS = 15.0
# First: one call of OpenSSL a packet, where asyncssh's own first choice (chacha20) takes five.
CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
# More seldom than samples come: a connection that speaks is not asked whether it lives.
KEEPALIVE_SECONDS, KEEPALIVES = 7, 2
# Signature algorithm → the kind of key as known_hosts names it, in OpenSSH's order.
_KEY_KINDS = {
    "ssh-ed25519": "ssh-ed25519",
    "ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384": "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521": "ecdsa-sha2-nistp521",
    "rsa-sha2-512": "ssh-rsa",
    "rsa-sha2-256": "ssh-rsa",
}


@dataclass(frozen=True)
class Target:
    """Where a program runs: over SSH, or (no address) on this machine."""

    name: str
    address: str
    port: int
    user: str
    key: Path
    known_hosts: Path
    jump: Jump = ""
    wire: Wire | None = None  # what counts the bytes of a link that is paid by them

    def counted(self, wire: Wire) -> Target:
        """The same, its connections and those to its jump host counted."""
        jump = self.jump if isinstance(self.jump, str) else self.jump.counted(wire)
        return replace(self, jump=jump, wire=wire)


# The host that leads to another: [USER@]HOST[:PORT], reached as the person behind this command
# reaches it, or a Target, reached by EVC's own key.
Jump = str | Target


class SshError(EvcError):
    """A node could not be reached, or the connection broke."""


class HostKeyRefused(SshError):
    """A node showed another host key than the pinned one."""


async def host_key(address: str, port: int, jump: Jump = "", known: str = "") -> HostKey:
    """The key a host shows now; raises SshError when it shows none in time.

    A host has several: asked for is one of the kind of `known` (a line of known_hosts), else the
    one that OpenSSH would show.
    """
    kind = known.split()[1] if known else ""
    wanted = sorted(_KEY_KINDS, key=lambda one: _KEY_KINDS[one] != kind)
    try:
        async with led_by(jump) as tunnel:
            key = await asyncio.wait_for(
                asyncssh.get_server_host_key(
                    address, port, tunnel=tunnel, server_host_key_algs=wanted
                ),
                timeout=CONNECT_SECONDS,
            )
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise SshError(reason(error, address, port)) from None
    if key is None:
        raise SshError(f"{address}:{port} showed no host key")
    public = key.export_public_key("openssh").decode().strip()
    algorithm, data = public.split()[:2]
    return HostKey(f"{pattern(address, port)} {algorithm} {data}", key.get_fingerprint())


@contextlib.asynccontextmanager
async def connection(target: Target) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection as `target.user`, its host key checked; raises SshError."""
    async with led_by(target.jump) as tunnel, await connected(target, tunnel) as link:
        yield link


async def connected(target: Target, tunnel: Any) -> asyncssh.SSHClientConnection:
    try:
        return await asyncio.wait_for(
            asyncssh.connect(
                target.address,
                target.port,
                tunnel=tunnel,
                username=target.user,
                client_keys=[str(target.key)],
                known_hosts=str(target.known_hosts),
                host_key_alias=target.address,  # not what ~/.ssh/config makes of it
                agent_path=None,
                encryption_algs=CIPHERS,
                keepalive_interval=0 if target.wire else KEEPALIVE_SECONDS,
                keepalive_count_max=KEEPALIVES,
                rekey_seconds="1d" if target.wire else "1h",
                client_factory=target.wire.client if target.wire else None,
            ),
            timeout=CONNECT_SECONDS,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise HostKeyRefused(reason(error, target.address, target.port)) from None
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise SshError(reason(error, target.address, target.port)) from None


@contextlib.asynccontextmanager
async def led_by(jump: Jump) -> AsyncIterator[Any]:
    """What asyncssh takes as `tunnel`: nothing, a jump host's name, or a connection to it."""
    if isinstance(jump, Target):
        async with connection(jump) as link:
            yield link
    else:
        yield jump or ()


def reason(error: Exception, address: str, port: int) -> str:
    where = f"{address}:{port}"
    if isinstance(error, TimeoutError):
        return f"{where} did not answer within {CONNECT_SECONDS:.0f} s"
    return f"{where}: {' '.join(str(error).split())[:300] or type(error).__name__}"
