"""Settings and secrets: what containers get on each node, and who else gets to see it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Home, port, wait_until
from sentinels import CommandLines

from evc.doors import fleet as fleets
from evc.doors import store
from evc.doors.fleet import Fleet

pytestmark = pytest.mark.fleet

NODES = ("edge02", "edge03")
SENTINEL = "sentinel-7f3a-of-a-secret"
SAYS = """
import http.server, json, os, pathlib, socketserver

SECRET = pathlib.Path(os.environ.get("TOKEN_FILE", "/nonexistent"))
ZONES = pathlib.Path("/run/evc/files/zones.json")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = {"greeting": os.environ.get("GREETING", ""), "zones": "", "secret": "", "owner": ""}
        if ZONES.exists():
            found["zones"] = ZONES.read_text()
        if SECRET.exists():
            found["secret"] = SECRET.read_text()
            found["owner"] = "%d %o" % (SECRET.stat().st_uid, SECRET.stat().st_mode & 0o777)
        data = json.dumps(found).encode()
        self.send_response(500 if found["greeting"] == "sick" else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        socketserver.TCPServer.server_bind(self)


Server(("", PORT), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def told(home: Home, tiny: Callable[..., Path]) -> Iterator[str]:
    """A model that says what it was given; runs on two nodes."""
    project = tiny("1", model="told")
    (project / "app.py").write_text(SAYS.replace("PORT", str(port("told"))))
    home.evc("run", str(project), "--on", ",".join(NODES))
    yield "told"


def says(home: Home, node: str) -> Any:
    status = home.json("status", "--on", node)["nodes"][0]["models"]
    (url,) = [one["url"] for one in status if one["model"] == "told"]
    with urllib.request.urlopen(url + "/", timeout=10) as answer:
        return json.load(answer)


def started(home: Home, node: str) -> str:
    (found,) = home.models(node, "told")
    return str(found["State"]["StartedAt"])


def test_the_nearest_setting_gets_into_the_container(home: Home, told: str) -> None:
    outcome = home.json("config", "set", "GREETING=fleet")
    # Other models on the lab's nodes get it too.
    assert {outcome["nodes"][name]["outcome"] for name in NODES} == {"done"}
    before = started(home, "edge02")
    home.evc("config", "set", "GREETING=near", "--node", "edge03", "--model", told)
    assert [says(home, node)["greeting"] for node in NODES] == ["fleet", "near"]
    assert started(home, "edge02") == before, "what does not change is not touched"
    listed = home.json("config", "list", "--on", "edge03", "--model", told)
    assert [(one["key"], one["value"], one["scope"]) for one in listed] == [
        ("GREETING", "near", "node edge03")
    ]
    home.evc("config", "unset", "GREETING", "--node", "edge03", "--model", told)
    assert says(home, "edge03")["greeting"] == "fleet"
    assert home.json("sync", "--on", "edge02")["outcome"] == "nothing"


def test_settings_that_make_it_sick_are_taken_back(home: Home, told: str) -> None:
    before = started(home, "edge02")
    failed = home.evc("config", "set", "GREETING=sick", "--node", "edge02", code=1).stderr
    assert "status 500" in failed and "the old one serves on" in failed
    assert says(home, "edge02")["greeting"] == "fleet"
    assert started(home, "edge02") >= before
    home.evc("config", "unset", "GREETING", "--node", "edge02", "--no-apply")


def test_a_secret_is_read_by_the_container_and_seen_by_nobody_else(
    home: Home, told: str, tmp_path: Path
) -> None:
    fleets.write_private(tmp_path / "token", SENTINEL + "\n")
    zones = tmp_path / "zones.json"
    zones.write_text('{"door": 1}')
    said = home.evc("secret", "set", "TOKEN", "--file", str(tmp_path / "token"), "--model", told)
    said2 = home.evc("config", "set", "--file", f"zones.json={zones}", "--node", "edge02")
    found = says(home, "edge02")
    assert (found["secret"], found["owner"]) == (SENTINEL, "10001 400")
    assert found["zones"] == '{"door": 1}'
    assert (says(home, "edge03")["secret"], says(home, "edge03")["zones"]) == (SENTINEL, "")

    shown = [said, said2, home.evc("secret", "list"), home.evc("config", "list", "-o", "json")]
    shown += [home.evc("status"), home.evc("config", "list", "--on", "all"), home.evc("sync")]
    assert "TOKEN" in shown[2].stdout
    for one in shown:
        assert SENTINEL not in one.stdout + one.stderr
    assert controller_files_with(home.fleet, tmp_path) == []
    for node in NODES:
        look = f"grep -rlF {SENTINEL} /var/log /tmp /etc /var/lib/evc /var/lib/docker/containers"
        assert home.on(node, "sh", "-c", f"{look} || true") == ""
        inspected = home.on(node, "sh", "-c", "docker inspect $(docker ps -aq)")
        assert SENTINEL not in inspected and "TOKEN_FILE" in inspected
        image = home.models(node, told)[0]["Image"]
        assert SENTINEL not in home.on(node, "docker", "history", "--no-trunc", image)
        assert home.on(node, "sh", "-c", "docker volume ls -q -f label=evc.model=told").count(
            "settings"
        ) == 1, "the volume of the settings before is gone"  # fmt: skip


def controller_files_with(fleet: Fleet, but: Path) -> list[str]:
    """Files of the fleet folder and of temporary folders that hold the sentinel."""
    with store.opened(fleet.database, fleets.share() / "db") as opened:
        assert opened.row("SELECT value FROM setting WHERE key = 'TOKEN'")
    look = ["grep", "-rlF", SENTINEL, str(fleet.root)]
    look += [str(one) for one in Path("/tmp").glob("evc-*")]
    done = subprocess.run(look, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if not line.startswith(str(but))]


def test_it_is_in_no_command_line_while_it_travels(home: Home, told: str, tmp_path: Path) -> None:
    """All command lines of this machine, its nodes' too, are read while a secret is rolled out."""
    fleets.write_private(tmp_path / "token", SENTINEL + "-2")
    words = ["secret", "set", "TOKEN", "--file", str(tmp_path / "token"), "--model", told]
    command = [sys.executable, "-m", "evc", "-C", str(home.fleet.root), *words]
    lines, processes = set[bytes](), CommandLines()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as running:
        while running.poll() is None:
            lines |= {line for _, line in processes.look()}
            time.sleep(0.02)  # what travels is there for longer
    assert running.returncode == 0
    assert says(home, "edge02")["secret"] == SENTINEL + "-2"
    assert any(b"evc_node.pyz" in line for line in lines), "the nodes' processes are seen"
    assert not any(SENTINEL.encode() in line for line in lines)


def test_they_come_back_with_the_engine_and_without_the_controller(home: Home, told: str) -> None:
    before = started(home, "edge03")
    home.on("edge03", "pkill", "-x", "dockerd")
    wait_until("it serves again", lambda: restarted_since(home, before))
    assert says(home, "edge03")["secret"] == SENTINEL + "-2"


def restarted_since(home: Home, before: str) -> bool:
    try:
        return started(home, "edge03") > before and bool(says(home, "edge03"))
    except (AssertionError, ValueError, OSError):
        return False


def test_removing_the_node_removes_them(home: Home, told: str) -> None:
    home.evc("config", "set", "ONLY=here", "--node", "edge03", "--no-apply")
    home.evc("node", "remove", "edge03")
    assert home.on("edge03", "docker", "volume", "ls", "-q", "-f", "label=evc.volume") == ""
    assert [one["key"] for one in home.json("config", "list")].count("ONLY") == 0
    home.evc("lab", "up", "--nodes", "3", "--builders", "1")
