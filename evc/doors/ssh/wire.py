"""What connections carry, for links that are paid by the byte: as the kernel counts it.

Retransmissions and the headers of TCP and IP are in it (tcp_info of linux/tcp.h, Linux 4.19 on).
Such a connection asks for no signs of life, and for new keys once a day.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

import asyncssh

_RECEIVED, _SEGMENTS, _SENT, _SIZE = 128, 136, 200, 208  # offsets in tcp_info
_HEADERS = {socket.AF_INET: 20 + 32, socket.AF_INET6: 40 + 32}  # TCP's with timestamps


class Wire:
    """Counts the bytes of one connection after the other."""

    def __init__(self) -> None:
        self._socket: Any = None
        self._before = self._now = self._told = 0

    def client(self) -> asyncssh.SSHClient:
        """What asyncssh tells of a new connection."""
        return _Client(self)

    def begin(self, sock: Any) -> None:
        """Count this connection from now on; one inside another is the same."""
        if sock is self._socket:
            return
        self._before, self._now, self._socket = self._before + self._now, 0, sock

    def look(self) -> None:
        """Count what the connection carried up to now."""
        if self._socket is not None:
            self._now = max(self._now, carried(self._socket))

    def taken(self) -> int:
        """Bytes since the last time that this was asked."""
        self.look()
        told, self._told = self._told, self._before + self._now
        return self._told - told


class _Client(asyncssh.SSHClient):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._wire.begin(conn.get_extra_info("socket"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.look()


def carried(sock: Any) -> int:
    """Bytes that a TCP connection has sent and received; 0 where the kernel does not say."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    except OSError:
        return 0
    if len(info) < _SIZE:
        return 0
    (received,) = struct.unpack_from("=Q", info, _RECEIVED)
    segments = sum(struct.unpack_from("=II", info, _SEGMENTS))
    (sent,) = struct.unpack_from("=Q", info, _SENT)
    return int(received + sent + segments * _HEADERS.get(sock.family, 0))
