"""Secrets stay where they belong: each is searched for everywhere, during and after commands."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Home
from sentinels import Watch

from evc.doors import fleet as fleets
from evc.runbooks import registry
from evc.runbooks.lab import logins

pytestmark = pytest.mark.fleet

Tiny = Callable[..., Path]
TOKEN, PHRASE, HUB = "sEntInel-token-1618", "sEntInel-phrase-1414", "sEntInel-hub-2236"
LOOKS = ("history -o json", "node list -o json", "node show edge01 -o json", "group list -o json",
         "model list -o json", "registry status -o json", "registry list -o json",
         "lab status -o json", "config list -o json", "db check")  # fmt: skip
# Secret → the folder of a node that may hold it, in private files alone.
ON_NODES = {"node login": "/var/lib/evc/docker/", "token": "/var/lib/docker/volumes/"}


@pytest.fixture(scope="module")
def watch(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Watch:
    home.register()
    fleets.write_private(home.fleet.root / "start", "x")
    home.evc("secret", "set", "START", "--no-apply", "--file", str(home.fleet.root / "start"))
    return Watch(home, _secrets(home), tmp_path_factory.mktemp("tmp"))


def _secrets(home: Home) -> dict[str, str]:
    """All that the fleet has now, by what it is."""
    fleet, reg = home.fleet, registry.load(home.fleet)
    login = (fleet.certs / "registry" / "docker" / "edge01").read_text()
    encoded = login.partition('"auth": "')[2].partition('"')[0]
    secrets = {
        "sudo": (fleet.certs / "lab" / "edge01.sudo").read_text().strip(),
        "push": reg.push.password.reveal(),
        "pull": reg.pull.password.reveal(),
        "node": base64.b64decode(encoded).decode().partition(":")[2],
        "node login": encoded,
        "ssh key": fleet.ssh_key.read_text().splitlines()[2],
        "settings key": fleet.settings_key.read_text().strip(),
        "token": TOKEN,
        "phrase": PHRASE,
        "hub": HUB,
    }
    assert all(len(one) > 10 for one in secrets.values())
    return secrets


def test_no_command_lets_a_secret_out(home: Home, tiny: Tiny, watch: Watch, tmp_path: Path) -> None:
    good, sick = str(tiny("50", model="quiet")), str(tiny("51", "unhealthy", model="quiet"))
    backup, words = str(tmp_path / "b.evc"), ("--passphrase-file", "-")
    on, sudo = ("--on", "edge01"), f"edge01: {watch.secrets['sudo']}\n"
    watch.evc("registry", "up")
    watch.evc("node", "remove", "edge01", "--sudo-file", "-", stdin=sudo)
    watch.evc("node", "import", str(_table(home, tmp_path)), "--sudo-file", "-", stdin=sudo)
    watch.evc("node", "replace", "edge01", "--yes", "--sudo-file", "-", stdin=sudo)
    watch.secrets = _secrets(home)  # the node has another login now
    watch.evc("secret", "set", "TOKEN", "--no-apply", "--file", "-", stdin=f"{TOKEN}\n")
    watch.evc("run", good, *on)
    watch.evc("run", sick, *on, code=1)
    watch.evc("model", "build", good, *on)
    watch.evc("deploy", "quiet:50", *on)
    watch.evc("sync", *on)
    watch.evc("status", *on, "-o", "json")
    watch.evc("report", "--since", "1h", "--to", str(tmp_path / "report.html"))
    watch.evc("secret", "list", "-o", "json")
    watch.evc("predict", "quiet", "-i", good + "/app.py", *on)
    watch.evc("logger", "--once", *on)
    watch.evc("doctor", *on)
    for command in LOOKS:
        watch.evc(*command.split())
    watch.evc("dashboard", "export", "--to", str(tmp_path / "grafana"))
    watch.evc("node", "exec", *on, "--", "id")
    watch.evc("registry", "login", "shop", "--password-file", "-", code=2, stdin=f"{HUB}\n")
    watch.evc("backup", "--to", backup, *words, stdin=f"{PHRASE}\n")
    watch.evc("restore", backup, str(tmp_path / "r"), *words, code=1, stdin=f"{PHRASE}-wrong\n")
    watch.evc("restore", backup, str(tmp_path / "r"), *words, stdin=f"{PHRASE}\n")
    assert not [name for name, one in watch.secrets.items() if one in Path(backup).read_text("l1")]
    for node in ("edge01", "builder01"):
        assert _on_node(home, watch, node) == []


def _table(home: Home, folder: Path) -> Path:
    """edge01 as a CSV has it, by which it comes in again."""
    (found,) = [one for one in home.json("lab", "status")["nodes"] if one["name"] == "edge01"]
    key = logins.key_file(home.fleet)
    row = f"edge01,{found['address']},{found['port']},pi,{key},lab\n"
    (folder / "nodes.csv").write_text(f"name,address,port,user,key,groups\n{row}")
    return folder / "nodes.csv"


def _on_node(home: Home, watch: Watch, node: str) -> list[str]:
    """What a node keeps of secrets where it should not: journals, logs, layers, images' history."""
    words = [word for one in watch.secrets.values() for word in ("-e", one)]
    exclude = [f"--exclude-dir={one}" for one in ("proc", "sys")]
    found = home.on(node, "grep", "-rlaF", *exclude, *words, "/", check=False).splitlines()
    wrong = []
    for file in (one for one in found if one.startswith("/")):
        content, mode = home.on(node, "cat", file), home.on(node, "stat", "-c", "%a", file)
        for name, secret in watch.secrets.items():
            holds = secret in content
            if holds and not (file.startswith(ON_NODES.get(name, "-")) and mode in ("600", "400")):
                wrong.append(f"{name} in {file} ({mode})")
    return wrong
