"""Dashboards are as Grafana's own types say; ids are unique, nothing overlaps, one datasource."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evc.pure.grafana import DATASOURCES, PROVIDERS, Source, dashboards, provisioning
from evc.pure.panels import DASHBOARDS

SOURCE = Source("0123456789ab")
DOCUMENTS = {name: json.loads(text) for name, text in dashboards(SOURCE).items()}
TOOLS = Path(__file__).parents[2] / "grafana"
VERSIONS = (10, 11, 12)
TSC = TOOLS / "node_modules" / "typescript" / "bin" / "tsc"


def check(folder: Path, *documents: dict[str, Any]) -> str:
    """What TypeScript says of documents by the types of each Grafana, '' if nothing is wrong."""
    head = 'import type { Document } from "./types";\nexport const one: Document = '
    for version in VERSIONS:
        own = folder / f"v{version}"
        types = own / "node_modules" / "@grafana"  # by this name its own files ask for it
        types.mkdir(parents=True)
        (types / "schema").symlink_to(TOOLS / "node_modules" / f"grafana-schema-{version}")
        (own / "types.ts").write_text((TOOLS / "types.ts").read_text())
        for number, one in enumerate(documents):
            (own / f"one{number}.ts").write_text(head + json.dumps(one))
    node = Path(sys.executable).with_name("node")
    rules = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext",
             "--moduleResolution", "node10", "--preserveSymlinks"]  # fmt: skip
    files = [str(path) for path in sorted(folder.glob("v*/one*.ts"))]
    done = subprocess.run([node, TSC, *rules, *files], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_grafanas_own_types_find_nothing_wrong(tmp_path: Path) -> None:
    assert check(tmp_path, *DOCUMENTS.values()) == ""


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("refresh",), 30),
        (("panels", 0, "type"), "stats"),
        (("panels", 0, "options", "colorMode"), "colourful"),
        (("panels", -1, "fieldConfig", "defaults", "custom", "cellOptions"), "auto"),
        (("templating", "list", 0, "refresh"), "often"),
    ],
)
def test_they_would_find_it(tmp_path: Path, path: tuple[Any, ...], wrong: object) -> None:
    document = json.loads(json.dumps(DOCUMENTS["evc-fleet.json"]))
    *way, last = path
    there: Any = document
    for step in way:
        there = there[step]
    there[last] = wrong
    said = check(tmp_path, document)
    assert {number for number in VERSIONS if f"v{number}/one0.ts" in said} == set(VERSIONS)


def test_ids_and_uids_are_unique() -> None:
    uids = {document["uid"] for document in DOCUMENTS.values()}
    assert len(uids) == len(DASHBOARDS)
    assert all(len(uid) <= 40 for uid in uids)  # as long as Grafana takes
    for document in DOCUMENTS.values():
        ids = [panel["id"] for panel in document["panels"]]
        assert len(set(ids)) == len(ids) and all(ids)


def test_no_panel_lies_on_another() -> None:
    for document in DOCUMENTS.values():
        taken = [
            (x, y)
            for place in (panel["gridPos"] for panel in document["panels"])
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(set(taken)) == len(taken)
        assert max(x for x, _ in taken) < 24


def test_every_query_goes_to_the_datasource_that_is_provisioned() -> None:
    files = provisioning(SOURCE, "/srv/evc/db/edge_logs.db3", "/srv/evc/grafana/dashboards")
    (source,) = json.loads(files[DATASOURCES])["datasources"]
    wanted = {"type": source["type"], "uid": source["uid"]}
    for document in DOCUMENTS.values():
        asked = [*document["panels"], *document["templating"]["list"]]
        asked += [target for panel in document["panels"] for target in panel["targets"]]
        assert [one["datasource"] for one in asked] == [wanted] * len(asked)
    assert source["jsonData"]["path"] == "/srv/evc/db/edge_logs.db3"
    assert "query_only(1)" in source["jsonData"]["pathOptions"]
    (provider,) = json.loads(files[PROVIDERS])["providers"]
    assert provider["options"]["path"] == "/srv/evc/grafana/dashboards"
