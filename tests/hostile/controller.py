"""A controller on which everything that could be contacted is one socket that counts."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from evc import cli
from evc.doors import store
from evc.doors.fleet import Fleet, share
from evc.pure import schema
from evc.pure.config import ProjectConfig
from evc.pure.images import Content
from evc.pure.inventory import Node
from evc.runbooks import nodes, releases
from evc.runbooks.init import init
from tests import forked

CONFIG = "model_name: eye\nversion: 1.10\nserve: {command: [sleep]}\n"


class Network:
    """A port on loopback that takes every connection, notes it and hangs up."""

    def __init__(self) -> None:
        self.contacts = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> str:
        return str(self._socket.getsockname()[1])

    def close(self) -> None:
        # A thread left in accept() would go on taking connections, by then another server's.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.contacts += 1
            connection.close()


class Controller:
    """A fleet folder with a release of the model `eye`, and a project of it."""

    def __init__(self, folder: Path, network: Network, capsys: pytest.CaptureFixture[str]) -> None:
        self.fleet: Fleet = init(folder / "fleet")
        self.network = network
        self.project = folder / "project"
        self.project.mkdir()
        (self.project / "myEVCconfig.yaml").write_text(CONFIG)
        (folder / "photo.jpg").write_bytes(b"photo")
        self._capsys = capsys
        with store.opened(self.fleet.database, share() / "db") as opened:
            config = schema.read(CONFIG, "f", ProjectConfig)
            releases.record(opened, Content("eye", "1.10", "0" * 64, {}), config, "here", "")

    def evc(self, *words: str, folder: str = "") -> tuple[int, str]:
        """Run a command as `evc` does; its exit code and all that it said."""
        before, sys.argv = sys.argv, ["evc", "-C", folder or str(self.fleet.root), *words]
        try:
            cli.main()
        except SystemExit as end:
            said = self._capsys.readouterr()
            return int(end.code or 0), said.out + said.err
        finally:
            sys.argv = before
        raise AssertionError("main() ends the program")

    def program(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `evc` as a program of its own, without a terminal."""
        return forked.run(["-C", str(self.fleet.root), *words])

    def register(self, name: str) -> None:
        """A node of the group `lab` that counts as registered, at the network's port."""
        node = Node(0, name, "127.0.0.1", int(self.network.port), groups=("lab",))
        with store.opened(self.fleet.database, share() / "db") as opened:
            nodes.insert(opened, node)
            nodes.remember(opened, name, {"architecture": "x86_64"}, registered=True)

    def nodes(self) -> list[str]:
        with store.opened(self.fleet.database, share() / "db") as opened:
            return [row["name"] for row in opened.rows("SELECT name FROM node ORDER BY name")]


def settled(network: Network) -> int:
    """How often something was contacted; what came before this connection is counted by its end."""
    with socket.create_connection(("127.0.0.1", int(network.port))) as last:
        last.recv(1)
    network.contacts -= 1
    return network.contacts
