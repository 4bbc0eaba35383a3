"""Ports through a connection: a node's on this machine, and this machine's on nodes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator, Sequence

import asyncssh

from evc.doors.ssh.connections import CONNECT_SECONDS, Target, connection
from evc.pure.errors import EvcError


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
