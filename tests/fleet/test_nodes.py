"""Nodes taken in from files, changed, replaced and commanded: real logins, real machines."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Home

from evc.doors import fleet as fleets
from evc.runbooks.lab import logins

pytestmark = pytest.mark.fleet

EDGES = ("edge01", "edge02", "edge03")
WRONG = "sentinel-of-a-wrong-password"
CSV = """name,address,port,user,key,groups,labels,title,latitude,longitude,place
edge01,{edge01},2222,pi,{key},shop;busan,site=busan,부산 1호점,35.18,129.08,부산
edge02,{edge02},,root,{key},shop,,,,,
"""
INI = """[edge_devices]
edge03 ansible_host={edge03}
[edge_devices:vars]
ansible_user=pi
ansible_ssh_private_key_file={key}
[shop:children]
edge_devices
[shop]
edge01
"""
OLD_PYTHON = """#!/bin/sh
PYTHONPATH=/opt/old exec /usr/bin/python3 "$@"
"""
OLD_VERSION = """import sys
sys.version_info = (3, 6, 9, "final", 0)
sys.version = "3.6.9 (default)"
"""
SSH_CONFIG = """Host {door}
  HostName {edge03}
Host {gate}
  HostName {at}
  User ubuntu
  IdentityFile {key}
  UpdateHostKeys no
"""
APT_GET = """#!/bin/sh
echo "$@" >> /opt/apt-get.log
[ "$1" != install ] || mv /opt/dockerd /usr/sbin/dockerd
"""


@pytest.fixture(scope="module")
def lab(home: Home) -> Iterator[dict[str, str]]:
    """The lab's edge nodes out of the inventory: name → address, and `key`, a person's."""
    nodes = home.json("lab", "status")["nodes"]
    addresses = {one["name"]: one["address"] for one in nodes}
    home.evc("node", "remove", "--on", "lab", "--forget")
    yield {**addresses, "key": str(logins.key_file(home.fleet))}
    known = {one["name"] for one in home.json("node", "list")}
    home.evc("node", "remove", "--on", ",".join(known & {*EDGES}), "--forget")
    home.evc("lab", "up", "--nodes", "3", "--builders", "1")


@pytest.fixture
def passwords(home: Home, tmp_path: Path) -> Callable[[str], str]:
    """Makes a file that names one password, edge01's."""

    def make(password: str) -> str:
        fleets.write_private(tmp_path / "sudo", f"edge01: {password}\n")
        return str(tmp_path / "sudo")

    return make


def right(home: Home) -> str:
    return fleets.read_private(logins.folder(home.fleet) / "edge01.sudo")


def words(outcome: Any) -> dict[str, str]:
    return {name: one["outcome"] for name, one in outcome["nodes"].items()}


def test_files_with_mixed_logins_in_one_go(
    home: Home, lab: dict[str, str], passwords: Callable[[str], str], tmp_path: Path
) -> None:
    """One wrong sudo password costs that node; another file and the right one go on with it."""
    shops, rest = tmp_path / "shops.csv", tmp_path / "rest.ini"
    shops.write_text(CSV.format(**lab))
    rest.write_text(INI.format(**lab))
    options = ("-o", "json", "--sudo-file", passwords(WRONG))

    done = home.evc("node", "import", str(shops), *options, code=3)

    first = json.loads(done.stdout)
    assert words(first) == {"edge01": "failed", "edge02": "done"}
    assert "the sudo password is wrong" in first["nodes"]["edge01"]["reason"]
    assert WRONG not in done.stdout + done.stderr
    second = home.json("node", "import", str(rest), "--sudo-file", passwords(right(home)))
    assert words(second) == {"edge01": "done", "edge03": "done"}
    assert words(home.json("node", "import", str(shops))) == {
        "edge01": "nothing", "edge02": "nothing"}  # fmt: skip
    nodes = {one["name"]: one for one in home.json("node", "list", "--on", "shop")}
    assert all(one["registered"] for one in nodes.values())
    assert (nodes["edge01"]["title"], nodes["edge01"]["labels"]) == (
        "부산 1호점", {"site": "busan"})  # fmt: skip
    assert nodes["edge01"]["groups"] == ["busan", "shop"]
    assert nodes["edge03"]["groups"] == ["edge_devices", "shop"]
    (place,) = home.rows("SELECT name, address, latitude, longitude FROM location")
    assert place == {"name": "edge01", "address": "부산", "latitude": 35.18, "longitude": 129.08}
    assert not list(home.fleet.certs.glob(".sudo*"))


def test_a_hand_edited_hosts_ini_is_taken_in(home: Home, lab: dict[str, str]) -> None:
    file = home.fleet.inventory_file
    text = file.read_text().replace("[busan]", "[lab]").replace("\nbusan", "\nlab")
    file.write_text(f"{text}new01 ansible_host=192.0.2.99\n")
    said = home.evc("node", "set", "edge02", "--label", "a=b", code=2).stderr
    assert "evc node import hosts.ini" in said and "new01" in file.read_text()

    outcome = home.json("node", "import", str(file), "--no-register")

    assert words(outcome) == {
        "edge01": "done", "new01": "done"} | dict.fromkeys(("edge02", "edge03"), "nothing") | {
        "builder01": "nothing"}  # fmt: skip
    assert home.json("node", "show", "edge01")["groups"] == ["lab", "shop"]
    home.evc("node", "remove", "new01", "--forget")
    assert "new01" not in file.read_text() and "edge01" in file.read_text()


def test_exec_is_prefixed_and_its_code_says_who_failed(home: Home, lab: dict[str, str]) -> None:
    done = home.evc("node", "exec", "--on", "shop", "--", "sh", "-c", "id -un; echo '\x1b[2J' >&2")
    assert sorted(done.stdout.splitlines()) == sorted(
        f"{node} | {line}" for node in EDGES for line in ("evc", "\N{REPLACEMENT CHARACTER}[2J")
    )
    some = ("node", "exec", "--on", "shop", "--", "sh", "-c", "test $(hostname) != edge02")
    assert "edge02: sh -c test" in home.evc(*some, code=3).stderr
    none = ("node", "exec", "--on", "edge02,edge03", "-o", "json", "--", "false")
    outcome = json.loads(home.evc(*none, code=1).stdout)
    assert words(outcome) == {"edge02": "failed", "edge03": "failed"}


def test_set_and_groups(home: Home, lab: dict[str, str]) -> None:
    home.evc("node", "set", "edge02", "--title", "정문 카메라", "--label", "floor=2", "--metered")
    home.evc("node", "set", "--on", "edge02,edge03", "--group", "door")
    home.evc("group", "create", "upstairs", "--on", "floor>=2", "--saved")
    assert "정문 카메라" in home.evc("node", "list", "--on", "upstairs").stdout
    assert home.json("group", "show", "upstairs")["nodes"] == ["edge02"]
    home.evc("node", "set", "edge03", "--label", "floor=3", "--ungroup", "door")
    assert home.json("group", "show", "upstairs")["nodes"] == ["edge02", "edge03"]
    assert home.json("group", "show", "door")["nodes"] == ["edge02"]
    home.evc("node", "set", "edge02", "--group", "upstairs", code=2)
    home.evc("group", "remove", "upstairs")
    home.evc("node", "list", "--on", "upstairs", code=2)
    assert words(home.json("node", "set", "edge02", "--label", "floor=2")) == {"edge02": "nothing"}


def test_what_is_missing_is_said_at_registration(home: Home, lab: dict[str, str]) -> None:
    """Python 3.6 as `python3`, then no engine, which --install-docker brings."""
    home.on("edge02", "mkdir", "-p", "/opt/old")
    write(home, "edge02", "/opt/old/sitecustomize.py", OLD_VERSION)
    write(home, "edge02", "/usr/local/bin/python3", OLD_PYTHON)
    try:
        said = home.evc("node", "add", "edge02", code=1).stderr
    finally:
        home.on("edge02", "rm", "/usr/local/bin/python3")
    assert "its Python is 3.6.9" in said and "/usr/local/bin/python3" in said
    home.on("edge02", "mv", "/usr/sbin/dockerd", "/opt/dockerd")
    try:
        home.on("edge02", "pkill", "-x", "dockerd")
        (warning,) = home.json("node", "add", "edge02")["nodes"]["edge02"]["warnings"]
        write(home, "edge02", "/usr/local/sbin/apt-get", APT_GET)
        done = home.json("node", "add", "edge02", "--install-docker")
    finally:
        home.on("edge02", "mv", "/opt/dockerd", "/usr/sbin/dockerd", check=False)
        home.on("edge02", "rm", "-f", "/usr/local/sbin/apt-get")
    assert "Docker does not answer" in warning and "--install-docker" in warning
    assert done["nodes"]["edge02"]["warnings"] == []
    log = home.on("edge02", "cat", "/opt/apt-get.log").splitlines()
    assert log == ["update", "install -y --no-install-recommends docker.io"]


def write(home: Home, node: str, path: str, text: str) -> None:
    home.on(node, "sh", "-c", 'printf %s "$1" > "$2" && chmod 755 "$2"', "-", text, path)


def new_host_key(home: Home, node: str) -> None:
    """As after a new installation: other keys, and no connection of before is left."""
    # A listener that is about to end reads its keys anew: only once it is gone is the next asked.
    ends = "pkill -x sshd; while pgrep -x sshd > /dev/null; do sleep 0.1; done"
    home.on(node, "sh", "-c", f"rm /etc/ssh/ssh_host_*; {ends}; ssh-keygen -q -A")
    shows = 'ssh-keyscan -t ed25519 localhost | grep -F "$(cut -d" " -f2 $0)"'
    public = "/etc/ssh/ssh_host_ed25519_key.pub"
    home.on(node, "sh", "-c", f"until {shows}; do sleep 0.1; done", public)


def fingerprint(home: Home, node: str) -> str:
    return home.on(node, "ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key").split()[1]


def test_a_changed_host_key_and_a_replaced_machine(
    home: Home, lab: dict[str, str], tiny: Callable[..., Path]
) -> None:
    project = str(tiny("1", model="nodes"))
    home.evc("run", project, "--on", "edge02,edge03")
    before = fingerprint(home, "edge03")
    wipe = "docker rm -f $(docker ps -aq); pkill -u evc; rm -rf /var/lib/evc /etc/docker/certs.d"
    home.on("edge03", "sh", "-c", wipe, check=False)
    new_host_key(home, "edge03")
    after = fingerprint(home, "edge03")

    said = home.evc("run", project, "--on", "edge02,edge03", "-o", "json", code=3)
    nodes = json.loads(said.stdout)["nodes"]
    assert (nodes["edge02"]["outcome"], nodes["edge03"]["outcome"]) == ("nothing", "failed")
    for one in (before, after, "evc node replace edge03", "evc node trust edge03"):
        assert one in nodes["edge03"]["reason"]
    executed = home.evc("node", "exec", "--on", "edge02,edge03", "--", "true", code=3).stderr
    assert before in executed and after in executed

    refused = home.evc("node", "replace", "edge03", code=1).stderr
    assert f"evc node replace edge03 --fingerprint {after}" in refused and before in refused
    home.evc("node", "replace", "edge03", "--fingerprint", after)
    (served,) = home.models("edge03", "nodes")
    assert served["State"]["Running"]
    edge03 = home.json("node", "show", "edge03")
    assert (edge03["labels"], edge03["groups"]) == ({"floor": "3"}, ["edge_devices", "shop"])


@pytest.fixture
def way(home: Home, lab: dict[str, str]) -> Iterator[tuple[str, str]]:
    """How ~/.ssh/config calls edge03 and the one host that reaches it, the builder."""
    folder, gate = Path.home() / ".ssh", home.json("lab", "status")["nodes"][0]["address"]
    names = (f"evc-door-{home.fleet.id}", f"evc-gate-{home.fleet.id}")
    key = home.on("builder01", "cut", "-d ", "-f1,2", "/etc/ssh/ssh_host_ed25519_key.pub")
    config = SSH_CONFIG.format(door=names[0], gate=names[1], at=gate, **lab)
    home.evc("node", "remove", "edge03", "--forget")
    for rule in (["-s", gate], ["-i", "lo"], ["-i", "docker0"],
                 ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED"]):  # fmt: skip
        home.on("edge03", "iptables", "-A", "INPUT", *rule, "-j", "ACCEPT")
    home.on("edge03", "iptables", "-A", "INPUT", "-j", "DROP")
    with appended(folder / "config", config), appended(folder / "known_hosts", f"{gate} {key}\n"):
        yield names
    home.on("edge03", "iptables", "-F", "INPUT")
    home.evc("node", "remove", "edge03", "--forget")


@contextlib.contextmanager
def appended(file: Path, text: str) -> Iterator[None]:
    """A person's file with more in front, for the time of a test."""
    file.parent.mkdir(mode=0o700, exist_ok=True)
    before = file.read_text() if file.exists() else None
    file.write_text(text + (before or ""))
    file.chmod(0o600)
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(file.read_text().replace(text, ""))


def test_behind_a_jump_host_by_names_of_ssh_config(
    home: Home, lab: dict[str, str], way: tuple[str, str], tiny: Callable[..., Path]
) -> None:
    """Everything that goes to a node: plays, programs, forwarded ports, the logger's stream."""
    door, gate = way
    login = ("--user", "pi", "--key", lab["key"])
    with pytest.raises(TimeoutError):  # nobody gets there directly
        socket.create_connection((lab["edge03"], 22), timeout=2)
    added = home.json("node", "add", "edge03", door, *login, "--jump", gate)
    assert added["nodes"]["edge03"]["outcome"] == "done"
    on = ("--on", "edge03")
    assert home.evc("node", "exec", *on, "--", "hostname").stdout == "edge03 | edge03\n"
    outcome = home.json("run", str(tiny("2", model="nodes")), *on)
    assert outcome["nodes"]["edge03"]["outcome"] == "done", outcome
    photo = home.fleet.root / "photo.jpg"
    photo.write_bytes(b"any")
    (answer,) = home.json("predict", "nodes", "-i", str(photo), *on)["predictions"]
    assert "problem" not in answer
    home.evc("logger", "--once", *on)
    stored = "SELECT count(*) AS n FROM sample JOIN logged_node ON logged_node.id = node_id"
    assert home.rows(f"{stored} WHERE name = 'edge03'")[0]["n"] > 0


def test_a_place_for_maps(home: Home, lab: dict[str, str]) -> None:
    where = ("--latitude", "35.1796", "--longitude", "129.0756", "--address", "부산시청")
    home.evc("node", "place", "edge02", *where)
    (place,) = home.rows("SELECT * FROM location WHERE name = 'edge02'")
    assert (place["address"], place["latitude"], place["longitude"]) == (
        "부산시청", 35.1796, 129.0756)  # fmt: skip
    done = home.json("node", "place", "edge02", *where)
    assert done["nodes"]["edge02"]["outcome"] == "nothing"


def test_another_fleets_node_is_left_alone_until_it_is_adopted(
    home: Home, lab: dict[str, str], tiny: Callable[..., Path]
) -> None:
    """What root made in EVC's folders, as the original system did, is EVC's then."""
    root_made = "chown -R root /etc/docker/certs.d /var/lib/evc/docker"
    home.on("edge02", "sh", "-c", f"printf 0123456789ab > /var/lib/evc/fleet; {root_made}")
    said = home.evc("node", "add", "edge02", code=1).stderr
    assert "belongs to the fleet 0123456789ab" in said and "--adopt" in said
    outcome = home.json("run", str(tiny("2", model="nodes")), "--on", "edge02", code=1)
    assert "belongs to another fleet" in outcome["nodes"]["edge02"]["reason"]
    found = home.json("doctor", "--on", "edge02", code=1)["findings"]
    (problem,) = [one for one in found if one["level"] == "problem"]
    assert problem["remedy"] == "evc node add edge02 --adopt takes it over"
    home.evc("node", "add", "edge02", "--adopt")
    assert home.on("edge02", "cat", "/var/lib/evc/fleet") == home.fleet.id
    folders = ("/etc/docker/certs.d", "/var/lib/evc/docker")
    assert home.on("edge02", "find", *folders, "-mindepth", "1", "!", "-user", "evc") == ""
    home.evc("run", str(tiny("2", model="nodes")), "--on", "edge02")


def test_a_renewed_key_is_trusted_by_its_fingerprint(home: Home, lab: dict[str, str]) -> None:
    new_host_key(home, "edge02")
    home.evc("node", "trust", "edge02", code=1)
    home.evc("node", "exec", "--on", "edge02", "--", "true", code=1)
    home.evc("node", "trust", "edge02", "--fingerprint", fingerprint(home, "edge02"))
    home.evc("node", "exec", "--on", "edge02", "--", "true")


def test_a_node_that_moved_must_still_be_itself(home: Home, lab: dict[str, str]) -> None:
    """The new address of edge01 is edge02's machine in truth: its key says so."""
    port = ("--port", "22", "--address", lab["edge02"])
    home.evc("node", "set", "edge01", *port, code=2)
    home.evc("node", "remove", "edge02", "--forget")
    home.evc("node", "set", "edge01", *port)
    said = home.evc("node", "exec", "--on", "edge01", "--", "true", code=1).stderr
    assert "its host key changed" in said
    home.evc("node", "set", "edge01", "--port", "2222", "--address", lab["edge01"])
    home.evc("node", "exec", "--on", "edge01", "--", "true")
