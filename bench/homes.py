"""A fleet to measure on: a lab of real nodes, a registry, EVC's own CLI."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.measure import run
from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.fleet import Fleet
from evc.pure.inventory import Node
from evc.runbooks import nodes as inventory
from evc.runbooks.init import init

TINY = Path(__file__).parents[1] / "tests" / "fleet" / "projects" / "tiny"


@dataclass(frozen=True)
class Home:
    """A fleet folder with its CLI."""

    fleet: Fleet

    def evc(self, *words: str) -> str:
        return run([sys.executable, "-m", "evc", "-C", str(self.fleet.root), *words])

    def nodes(self, selector: str) -> list[Node]:
        with store.opened(self.fleet.database, fleets.share() / "db") as opened:
            return inventory.selected(opened, selector)

    def on(self, node: str, *command: str) -> str:
        return run(["docker", "exec", f"evc-{self.fleet.id}-{node}", *command])

    def tiny(self, folder: Path, version: str) -> Path:
        """The small test project at a version, in `folder`, on the base that users have."""
        project = folder / f"tiny-{version}"
        shutil.copytree(TINY, project)
        config = project / "myEVCconfig.yaml"
        text = config.read_text().replace("version: 0", f"version: {version}")
        config.write_text(text.replace("base: small:1\n", ""))
        (project / "fault").write_text("none")
        return project


@contextlib.contextmanager
def home(nodes: int, builders: int, *options: str) -> Iterator[tuple[Home, Path]]:
    """A lab with a registry and a base image in it, and a folder for projects; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="evc-bench-") as name:
        folder = Path(name)
        made = Home(init(folder / "fleet"))
        try:
            made.evc("lab", "up", "--nodes", str(nodes), "--builders", str(builders), *options)
            made.evc("registry", "up")
            if builders:
                made.evc("registry", "import", "python:3.11-slim", "--or-bootstrap")
            yield made, folder
        finally:
            made.evc("lab", "down")
            made.evc("registry", "down", "--purge", "--yes")
