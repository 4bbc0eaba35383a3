"""What Prometheus scrapes: `python -m bench.exporter` serves /metrics?node=N, and says its port.

One process stands for all node_exporters. Each page has the figures of one sample of a simulated
node, no more and no less, as node_exporter would name them; all that move there move here. Pages
are compressed as node_exporter compresses them.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import time
from collections.abc import Iterator
from typing import Any

from bench.figures import figures

LOOPBACK = "127.0.0.1"
LEVEL = 5  # about what Go's own is
MOST_SECONDS = 3600.0
_LABELS = {"cores": "cpu", "interfaces": "device", "temperatures": "zone", "disks": "device"}


def series(found: dict[str, Any], name: str = "node", labels: str = "") -> Iterator[str]:
    """A line for each number of a sample."""
    for key, value in found.items():
        if isinstance(value, list):
            value = {str(number): one for number, one in enumerate(value)}
        if isinstance(value, dict) and (label := _LABELS.get(key)):
            for one, below in value.items():
                members = below if isinstance(below, dict) else {"": below}
                yield from series(members, f"{name}_{key}", f'{{{label}="{one}"}}')
        elif isinstance(value, dict):
            yield from series(value, f"{name}_{key}", labels)
        elif not isinstance(value, str):
            yield f"{name}_{key}".rstrip("_") + f"{labels} {value}\n"


def page(node: int) -> bytes:
    """The page of a node at this moment."""
    now = time.time()
    lines = [*series(figures(node, int(now))), f"node_time_seconds {now}\n"]
    return "".join([*lines, f"node_boot_time_seconds {now - 1e6}\n"]).encode()


class Exporter(asyncio.Protocol):
    """Answers each request of a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._rest = transport, b""

    def data_received(self, data: bytes) -> None:
        *requests, self._rest = (self._rest + data[:65536]).split(b"\r\n\r\n")
        for request in requests:
            found = re.match(rb"GET /metrics\?node=(\d{1,6}) ", request)
            self._answer(page(int(found[1])) if found else b"")

    def _answer(self, text: bytes) -> None:
        body = gzip.compress(text, LEVEL)
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        head += f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def _main() -> None:
    server = await asyncio.get_running_loop().create_server(Exporter, LOOPBACK, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(MOST_SECONDS)


if __name__ == "__main__":
    asyncio.run(_main())
