"""What users of the original have: their files and their projects, on real nodes."""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECTS, Home

pytestmark = pytest.mark.fleet

SERVER = """\
activations:
  - &reg register
  - &mk build
builder:
  - name: builder01
    ip: {builder}
    port: 22
    hw: intel_Server
    os: ubuntu
    gpu: RTX4090
path:
  hosts_file: &hosts ../hosts.ini
  db: &db ../db/edge_logs.db3
  registry: &registry
  dockerhub: &hub False
autorun:
  - name: host registration
    activation: *reg
    path: {{hosts_file: *hosts, db: *db, registry: *registry, dockerhub: *hub}}
  - name: build image
    activation: *mk
    path: {{hosts_file: *hosts, db: *db, registry: *registry}}
  - name: start
    activation: run
    path: {{hosts_file: *hosts, db: *db, registry: *registry}}
"""
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def owned(home: Home) -> Iterator[Home]:
    """The fleet with the original's `ServerConfig.yaml`, and `python` without a tag."""
    before = home.fleet.config_file.read_text()
    home.fleet.config_file.write_text(SERVER.format(builder=_place(home, "builder01")[0]))
    home.evc("registry", "import", "python:latest", "--or-bootstrap")
    home.evc("node", "import", str(_hosts_ini(home)))
    yield home
    home.fleet.config_file.write_text(before)


@pytest.fixture
def make(owned: Home, tmp_path: Path) -> Make:
    """The original's project folder: a Dockerfile, `model.tar.gz` and a config."""

    def made(
        needs: str = "nothing", version: str = "1.10", more: str = "", program: str = "app.py"
    ) -> Path:
        folder, model = tmp_path / version, tmp_path / f"packed-{version}" / "model"
        model.mkdir(parents=True)
        folder.mkdir()
        text = (PROJECTS / "original" / "app.py").read_text()
        if program == "run.py":  # a Flask application says itself where it listens
            text = text.replace("7860", "5000").replace("127.0.0.1", "0.0.0.0")
        (model / program).write_text(text)
        (model / "needs").write_text(needs)
        with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
            archive.add(model, "model")
        shutil.copy(PROJECTS / "original" / "Dockerfile", folder)
        text = (PROJECTS / "original" / "myEVCconfig.yaml").read_text()
        address, port = _place(owned, "edge01")
        text = text.replace("edge01\n      port: 22", f"{address}\n      port: {port}")
        text = text.replace('"edge01:', f'"{address}:').replace("1.10", version)
        (folder / "myEVCconfig.yaml").write_text(text + more)
        return folder

    return made


def test_the_inventory_file_becomes_groups(owned: Home) -> None:
    nodes = {one["name"]: one for one in owned.json("node", "list")}
    assert "shop_rpi" in nodes["edge01"]["groups"] and "shop_nuc" in nodes["edge02"]["groups"]
    assert nodes["builder01"]["roles"] == ["builder"]


def test_an_originals_project_deploys_and_answers(owned: Home, make: Make) -> None:
    """`FROM python`, an archive with the program in a folder, `ENTRYPOINT ["bash"]`, `app:`."""
    done = owned.evc("run", str(make()))
    address = _place(owned, "edge01")[0]
    assert f"Activated at : http://{address}:7999 (edge01)" in done.stderr
    warnings = [line for line in done.stderr.splitlines() if "needs no more" in line]
    assert len(warnings) == 1 and "arch" in warnings[0] and "path.db" in warnings[0]
    with urllib.request.urlopen(f"http://{address}:7999/", timeout=10) as answer:
        assert answer.read() == b"a model of the original"
    (found,) = owned.models("edge01", "my-model")
    assert found["Config"]["WorkingDir"] == "/home/model"
    assert found["Config"]["User"] == "10001:10001" and found["HostConfig"]["ReadonlyRootfs"]
    (release,) = [one for one in owned.json("model", "list") if one["model"] == "my-model"]
    assert release["version"] == "1.10"


def test_flask_starts_run_py(owned: Home, make: Make) -> None:
    folder = make(version="1.11", program="run.py")
    config = folder / "myEVCconfig.yaml"
    config.write_text(config.read_text().replace("activation: gradio", "activation: flask"))
    done = owned.evc("run", str(folder))
    address = _place(owned, "edge01")[0]
    assert f"Activated at : http://{address}:7999 (edge01)" in done.stderr
    with urllib.request.urlopen(f"http://{address}:7999/", timeout=10) as answer:
        assert answer.read() == b"a model of the original"
    (found,) = owned.models("edge01", "my-model")
    assert found["Args"][-1] == "run.py" and "5000/tcp" in found["HostConfig"]["PortBindings"]


@pytest.mark.parametrize(
    ("needs", "said", "key"),
    [
        ("root", "Permission denied", "serve: {root: true}"),
        ("writable", "Read-only file system", "serve: {writable: true}"),
    ],
)
def test_a_hardened_default_that_is_in_the_way_is_named(
    owned: Home, make: Make, needs: str, said: str, key: str
) -> None:
    refused = owned.evc("run", str(make(needs, f"2-{needs}")), code=1)
    assert said in refused.stderr and f"`{key}`" in refused.stderr
    other = {"root": "writable", "writable": "root"}[needs]
    assert f"{other}: true" not in refused.stderr, "one key, the right one"
    assert owned.json("run", str(make(needs, f"3-{needs}", f"{key}\n")))["outcome"] == "done"
    (found,) = owned.models("edge01", "my-model")
    assert found["State"]["Running"]
    assert (found["Config"]["User"] == "") == (needs == "root")
    assert found["HostConfig"]["ReadonlyRootfs"] == (needs == "root")


def test_a_project_without_a_config_gets_one_that_deploys(owned: Home, make: Make) -> None:
    folder = make()
    (folder / "myEVCconfig.yaml").unlink()
    owned.evc("init", "--project", str(folder))
    written = yaml.safe_load((folder / "myEVCconfig.yaml").read_text())
    assert written["serve"] == {"mode": "gradio"}
    assert "exists already" in owned.evc("init", "--project", str(folder), code=2).stderr
    outcome = owned.json("run", str(folder), "--on", "shop_nuc")
    address = _place(owned, "edge02")[0]
    assert outcome["nodes"]["edge02"]["url"] == f"http://{address}:7860"


def test_the_originals_queries_still_answer(owned: Home, make: Make) -> None:
    owned.evc("run", str(make()))
    with sqlite3.connect(f"file:{owned.fleet.database}?mode=ro", uri=True) as database:
        (row,) = database.execute("SELECT type, affiliation FROM nodes WHERE name='builder01'")
    assert row[0] == "builder"


def _hosts_ini(home: Home) -> Path:
    """The original's inventory file for the lab's machines."""
    lines = {name: "{} ansible_host={} ansible_port={}".format(name, *_place(home, name))
             for name in ("builder01", "edge01", "edge02")}  # fmt: skip
    file = home.fleet.root / "original.ini"
    file.write_text(
        f"[builder]\n{lines['builder01']}\n\n[user:children]\nshop_rpi\nshop_nuc\n\n"
        f"[shop_rpi]\n{lines['edge01']}\n\n[shop_nuc]\n{lines['edge02']}\n"
    )
    return file


def _place(home: Home, node: str) -> tuple[str, Any]:
    found = next(one for one in home.json("node", "list") if one["name"] == node)
    return found["address"], found["port"]
