"""Programs on nodes, and their output as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import asyncssh

from evc.doors.ssh.connections import (
    CONNECT_SECONDS,
    SshError,
    Target,
    connected,
    led_by,
    reason,
)
from evc.pure.errors import EvcError

MAX_LINE = 1_000_000
WINDOW_BYTES = 128 * 1024  # that a node may send before it is read; asyncssh's own are 2 MB a node


class ProgramFailed(SshError):
    """A program on a node that was reached ended badly."""


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
        async with contextlib.AsyncExitStack() as stack:
            process = await _running(stack, target, argv, errors="replace", stderr=stderr)
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
        raise SshError(reason(error, target.address, target.port)) from None


async def output(target: Target, argv: Sequence[str], stdin: str, most: int) -> str:
    """What a program writes until it ends, at most `most` bytes of it.

    Raises ProgramFailed when it ends badly or writes more, SshError when it was not reached.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            process = await _started(stack, target, argv)
            assert process.stdin and process.stdout and process.stderr
            with contextlib.suppress(BrokenPipeError):  # a program may end before it reads
                process.stdin.write(stdin.encode())
                process.stdin.write_eof()
            data = b""
            while more := await process.stdout.read(65536):
                data += more
                if len(data) > most:
                    raise ProgramFailed(f"{' '.join(argv[:3])} wrote more than {most:,} bytes")
            error = await process.stderr.read(2000)
            _raise_for(await _status(process), error.decode("utf-8", "replace"), argv)
        except (OSError, asyncssh.Error) as error:
            raise SshError(reason(error, target.address, target.port)) from None
    return data.decode("utf-8", "replace")


async def follow(
    target: Target, argv: Sequence[str], handshakes: asyncio.Semaphore, silence: float
) -> AsyncGenerator[list[bytes], None]:
    """Run a program on `target` for ever and yield its lines as they come, several at a time.

    A line longer than MAX_LINE comes cut off. Raises SshError when the program ends, and when
    no whole line came for `silence` seconds.
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
            raise SshError(f"no whole line came for {silence:.0f} s") from None
        except (OSError, asyncssh.Error) as error:
            raise SshError(reason(error, target.address, target.port)) from None


async def _started(
    stack: contextlib.AsyncExitStack, target: Target, argv: Sequence[str]
) -> asyncssh.SSHClientProcess[bytes] | asyncio.subprocess.Process:
    """The program running; when the stack ends, so does the connection, and nobody waits for it."""
    if not target.address:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=pipe)
        stack.callback(_end, process)
        return process
    return await _running(stack, target, argv, encoding=None, window=WINDOW_BYTES)


async def _running(
    stack: contextlib.AsyncExitStack, target: Target, argv: Sequence[str], **options: Any
) -> asyncssh.SSHClientProcess[Any]:
    """The program on a connection that ends with the stack at once: sshd would wait for one that
    hangs."""
    tunnel = await stack.enter_async_context(led_by(target.jump))
    link = await connected(target, tunnel)
    stack.callback(link.abort)
    try:  # a node that lets us in and then says nothing would keep others from connecting
        async with asyncio.timeout(CONNECT_SECONDS):
            return await link.create_process(shlex.join(argv), **options)
    except TimeoutError as error:
        raise SshError(reason(error, target.address, target.port)) from None


def _end(process: asyncio.subprocess.Process) -> None:
    """Nobody reads on, and it may hang: this kills it, and closes what it still writes to."""
    process._transport.close()  # type: ignore[attr-defined]


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
    """Lines as `read` gives them, until its end; raises TimeoutError when it gives none.

    What is less than a line is none: a byte now and then keeps no connection.
    """
    rest, now = b"", asyncio.get_running_loop().time
    deadline = now() + silence
    while True:
        async with asyncio.timeout_at(deadline):
            data = await read(65536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[: MAX_LINE + 1]  # so that it is seen to be too long, and not more of it is kept
        if lines:
            yield lines
            deadline = now() + silence


async def _local_lines(argv: Sequence[str], stdin: str, all_output: bool) -> AsyncIterator[str]:
    pipe, both = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=pipe, stdout=pipe, stderr=both if all_output else pipe, limit=MAX_LINE
    )
    assert process.stdin and process.stdout
    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(stdin.encode())
            process.stdin.close()
        async for line in process.stdout:
            yield line.decode("utf-8", "replace").rstrip("\n")
        said = await process.stderr.read(2000) if process.stderr else b""
        _raise_for(await process.wait(), said.decode("utf-8", "replace"), argv)
    except ValueError:
        raise EvcError(f"{argv[0]} wrote a line of more than {MAX_LINE:,} bytes") from None
    finally:
        _end(process)


def _raise_for(status: int | None, error: str, argv: Sequence[str]) -> None:
    if status is None:
        raise SshError(f"the connection broke before {' '.join(argv[:3])} ended")
    if status:
        said = f"{' '.join(argv[:3])} ended with status {status}: {error.strip()[-500:]}"
        raise ProgramFailed(said.removesuffix(": "))
