"""What nodes should run, by the database."""

from __future__ import annotations

from pathlib import Path

from evc.doors import fleet as fleets
from evc.doors import store
from evc.pure import schema
from evc.pure.config import ProjectConfig
from evc.pure.images import Content
from evc.pure.inventory import Node
from evc.pure.outcomes import NodeOutcome
from evc.runbooks import assignments, releases
from evc.runbooks import nodes as inventory
from evc.runbooks.init import init


def test_what_failed_and_never_served_takes_no_room(tmp_path: Path) -> None:
    """Its port and memory are another model's all the same; what it replaced goes on serving."""
    fleet = init(tmp_path / "fleet")
    with store.opened(fleet.database, fleets.share() / "db") as opened:
        inventory.insert(opened, Node(0, "cam", "192.0.2.1"))
        nodes, failed = inventory.everyone(opened), {"cam": NodeOutcome("failed", reason="port")}

        def models() -> set[str]:
            found = assignments.wanted(opened, nodes, hopeless=False)
            return {model for model, _ in found}

        for version, outcome in (("1", NodeOutcome("done")), ("2", failed["cam"])):
            built = _release(opened, "eye", version)
            assignments.wish(opened, built, "all", nodes)
            assert models() == {"eye"}
            assignments.record(opened, built, {"cam": outcome})
        rival = _release(opened, "rival", "1")
        assignments.wish(opened, rival, "all", nodes)
        assignments.record(opened, rival, failed)
        assert models() == {"eye"}
        assert {model for model, _ in assignments.wanted(opened, nodes)} == {"eye", "rival"}


def test_an_outcome_is_of_those_that_shall_run_the_release(tmp_path: Path) -> None:
    """A node that was refused goes on with what it should run."""
    fleet = init(tmp_path / "fleet")
    with store.opened(fleet.database, fleets.share() / "db") as opened:
        inventory.insert(opened, Node(0, "cam", "192.0.2.1"))
        inventory.insert(opened, Node(0, "dock", "192.0.2.2"))
        nodes = inventory.everyone(opened)
        first, second = _release(opened, "eye", "1"), _release(opened, "eye", "2")
        assignments.wish(opened, first, "all", nodes)
        assignments.record(opened, first, {node.name: NodeOutcome("done") for node in nodes})

        assignments.wish(opened, second, "all", [nodes[1]])
        failed = NodeOutcome("failed", reason="no image")
        assignments.record(opened, second, {node.name: failed for node in nodes})

        assert {release: [one.name for one in those]
                for (_, release), those in assignments.wanted(opened, nodes).items()
                } == {first.id: ["cam"], second.id: ["dock"]}  # fmt: skip
        assert opened.rows("SELECT state FROM assignment ORDER BY node_id") == [
            {"state": "serving"}, {"state": "failed"}]  # fmt: skip


def _release(opened: store.Store, model: str, version: str) -> releases.Built:
    text = f"model_name: {model}\nversion: {version}\nserve: {{command: [x]}}\n"
    config = schema.read(text, "f", ProjectConfig)
    content = Content(model, version, f"{model}{version}".ljust(64, "0"), {})
    return releases.record(opened, content, config, "here", "")
