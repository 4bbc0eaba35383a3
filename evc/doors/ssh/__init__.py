"""SSH: EVC's key, pinned host keys, programs on nodes, and ports through a connection.

Playbooks use OpenSSH through Ansible; what streams goes through here. `~/.ssh/config` is honoured.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from evc.doors.ssh.keys import HostKey, ensure_key, fingerprint, key_pair, pattern
from evc.pure.errors import EvcError

__all__ = ["HostKey", "HostKeyRefused", "Jump", "SshError", "Target", "connection", "ensure_key",
           "fingerprint", "follow", "forwarded_port", "host_key", "key_pair", "lent_ports", "lines",
           "pattern"]  # fmt: skip

CONNECT_SECONDS = 15.0
MAX_LINE = 1_000_000
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
        async with _led_by(jump) as tunnel:
            key = await asyncio.wait_for(
                asyncssh.get_server_host_key(
                    address, port, tunnel=tunnel, server_host_key_algs=wanted
                ),
                timeout=CONNECT_SECONDS,
            )
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise SshError(_reason(error, address, port)) from None
    if key is None:
        raise SshError(f"{address}:{port} showed no host key")
    public = key.export_public_key("openssh").decode().strip()
    algorithm, data = public.split()[:2]
    return HostKey(f"{pattern(address, port)} {algorithm} {data}", key.get_fingerprint())


async def lines(
    target: Target, argv: Sequence[str], stdin: str = "", all_output: bool = False
) -> AsyncIterator[str]:
    """Run a program on `target` and yield its output line by line; raises SshError on failure.

    `all_output`: what it writes to stderr is yielded too, not kept for the error.
    """
    if not target.address:
        async for line in _local_lines(argv, stdin, all_output):
            yield line
        return
    stderr = asyncssh.STDOUT if all_output else asyncssh.PIPE
    try:
        async with (
            connection(target) as link,
            link.create_process(shlex.join(argv), errors="replace", stderr=stderr) as process,
        ):
            with contextlib.suppress(BrokenPipeError):  # a program may end before it reads
                process.stdin.write(stdin)
                process.stdin.write_eof()
            async for line in process.stdout:
                if line:  # asyncssh has one more at the end
                    yield line.rstrip("\n")[:MAX_LINE]
            error = await process.stderr.read(2000)
            await process.wait_closed()  # the status comes after the last output
            _raise_for(process.exit_status, error, argv)
    except (OSError, asyncssh.Error) as error:
        raise SshError(_reason(error, target.address, target.port)) from None


async def follow(
    target: Target, argv: Sequence[str], handshakes: asyncio.Semaphore, silence: float
) -> AsyncGenerator[list[bytes], None]:
    """Run a program on `target` for ever and yield its lines as they come, several at a time.

    A line longer than MAX_LINE comes cut off. Raises SshError when the program ends, and when
    nothing came for `silence` seconds.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            async with handshakes:
                process = await _started(stack, target, argv)
            assert process.stdout and process.stderr
            async for lines in _split(process.stdout.read, silence):
                yield lines
            error = await process.stderr.read(2000)
            _raise_for(await _status(process), error.decode("utf-8", "replace"), argv)
            raise SshError(f"{' '.join(argv[:3])} ended")
        except TimeoutError:
            raise SshError(f"nothing came for {silence:.0f} s") from None
        except (OSError, asyncssh.Error) as error:
            raise SshError(_reason(error, target.address, target.port)) from None


async def _started(
    stack: contextlib.AsyncExitStack, target: Target, argv: Sequence[str]
) -> asyncssh.SSHClientProcess[bytes] | asyncio.subprocess.Process:
    """The program running; when the stack ends, so does the connection, and nobody waits for it."""
    if not target.address:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*argv, stdout=pipe, stderr=pipe)
        stack.callback(_kill, process)
        return process
    tunnel = await stack.enter_async_context(_led_by(target.jump))
    link = await _connected(target, tunnel)
    stack.callback(link.abort)
    return await link.create_process(shlex.join(argv), encoding=None)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


async def _status(
    process: asyncssh.SSHClientProcess[bytes] | asyncio.subprocess.Process,
) -> int | None:
    if isinstance(process, asyncio.subprocess.Process):
        return await process.wait()
    await process.wait_closed()
    return process.exit_status


async def _split(
    read: Callable[[int], Awaitable[bytes]], silence: float
) -> AsyncIterator[list[bytes]]:
    """Lines as `read` gives them, until its end; raises TimeoutError when it gives none."""
    rest = b""
    while True:
        async with asyncio.timeout(silence):
            data = await read(65536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[: MAX_LINE + 1]  # so that it is seen to be too long, and not more of it is kept
        if lines:
            yield lines


@contextlib.asynccontextmanager
async def connection(target: Target) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection as `target.user`, its host key checked; raises SshError."""
    async with _led_by(target.jump) as tunnel, await _connected(target, tunnel) as link:
        yield link


async def _connected(target: Target, tunnel: Any) -> asyncssh.SSHClientConnection:
    try:
        return await asyncio.wait_for(
            asyncssh.connect(
                target.address,
                target.port,
                tunnel=tunnel,
                username=target.user,
                client_keys=[str(target.key)],
                known_hosts=str(target.known_hosts),
                agent_path=None,
                keepalive_interval=5,
                keepalive_count_max=3,
            ),
            timeout=CONNECT_SECONDS,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise HostKeyRefused(_reason(error, target.address, target.port)) from None
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise SshError(_reason(error, target.address, target.port)) from None


@contextlib.asynccontextmanager
async def _led_by(jump: Jump) -> AsyncIterator[Any]:
    """What asyncssh takes as `tunnel`: nothing, a jump host's name, or a connection to it."""
    if isinstance(jump, Target):
        async with connection(jump) as link:
            yield link
    else:
        yield jump or ()


@contextlib.asynccontextmanager
async def forwarded_port(target: Target, port: int) -> AsyncIterator[int]:
    """A port on this machine's loopback that leads to `port` on the node's loopback."""
    if not target.address:
        yield port
        return
    async with connection(target) as link:
        listener = await link.forward_local_port("127.0.0.1", 0, "127.0.0.1", port)
        try:
            yield listener.get_port()
        finally:
            listener.close()


@contextlib.contextmanager
def lent_ports(targets: Sequence[Target], host: str, port: int) -> Iterator[dict[str, int]]:
    """A port on the loopback of each target that leads to HOST:PORT as this machine reaches it.

    Kept by a thread of its own while the caller works; a target that refuses is left out.
    """
    if not targets:
        yield {}
        return
    loop, stack = asyncio.new_event_loop(), contextlib.AsyncExitStack()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def lend(target: Target) -> int | None:
        try:
            link = await stack.enter_async_context(connection(target))
            listener = await link.forward_remote_port("127.0.0.1", 0, host, port)
        except (EvcError, OSError, asyncssh.Error):
            return None
        return listener.get_port()

    async def everyone() -> list[int | None]:
        return await asyncio.gather(*[lend(target) for target in targets])

    try:
        ports = asyncio.run_coroutine_threadsafe(everyone(), loop).result()
        names = [target.name for target in targets]
        yield {name: found for name, found in zip(names, ports, strict=True) if found}
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(CONNECT_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CONNECT_SECONDS)


async def _local_lines(argv: Sequence[str], stdin: str, all_output: bool) -> AsyncIterator[str]:
    pipe, both = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=pipe, stdout=pipe, stderr=both if all_output else pipe, limit=MAX_LINE
    )
    assert process.stdin and process.stdout
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(stdin.encode())
        process.stdin.close()
    async for line in process.stdout:
        yield line.decode("utf-8", "replace").rstrip("\n")
    error = (await process.stderr.read(2000)).decode("utf-8", "replace") if process.stderr else ""
    _raise_for(await process.wait(), error, argv)


def _raise_for(status: int | None, error: str, argv: Sequence[str]) -> None:
    if status is None:
        raise SshError(f"the connection broke before {' '.join(argv[:3])} ended")
    if status:
        said = f"{' '.join(argv[:3])} ended with status {status}: {error.strip()[-500:]}"
        raise SshError(said.removesuffix(": "))


def _reason(error: Exception, address: str, port: int) -> str:
    where = f"{address}:{port}"
    if isinstance(error, TimeoutError):
        return f"{where} did not answer within {CONNECT_SECONDS:.0f} s"
    return f"{where}: {' '.join(str(error).split())[:300] or type(error).__name__}"
