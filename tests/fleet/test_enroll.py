"""A node that nobody can dial, from its first-boot script to its end; the builder is where it
keeps its tunnel to."""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Home, wait_until
from sentinels import Watch

from evc.doors import fleet as fleets
from evc.doors.registry import RegistryClient
from evc.pure.errors import EvcError
from evc.pure.secret import Secret
from evc.runbooks import registry
from evc.runbooks.lab import logins

pytestmark = pytest.mark.fleet

FAR, PLACE = "edge03", "builder01"
OPEN_TO_ITSELF = (["-i", "lo"], ["-i", "docker0"],
                  ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED"])  # fmt: skip
# What all processes were started with while the first boot presents its token.
SPY = """#!/bin/sh
cat /proc/*/cmdline >> /opt/cmdlines 2> /dev/null
exec /usr/bin/ssh "$@"
"""
LISTENER = """
import os, socket
here = socket.socket(socket.AF_UNIX); here.bind("/tmp/open.sock"); os.chmod("/tmp/open.sock", 0o777)
here.listen()
while True:
    here.accept()[0].sendall(b"reached")
"""
# Through the tunnel's key to a Unix socket that anyone there may open.
REACH = """
import socket, subprocess, sys, time
ssh = subprocess.Popen([*sys.argv[1:]])
for _ in range(100):
    try:
        there = socket.create_connection(("127.0.0.1", 7777), 10)
        break
    except OSError:
        time.sleep(0.1)
print(there.recv(100))
ssh.terminate()
"""
WATCHER = "^python3 /var/lib/evc/[e]vc_node.pyz watch"


@pytest.fixture(scope="module")
def via(home: Home) -> Iterator[tuple[str, ...]]:
    """Every new connection to edge03 is dropped; how a person names and enters the rendezvous."""
    nodes = {one["name"]: one for one in home.json("lab", "status")["nodes"]}
    home.evc("node", "remove", FAR, "--forget")
    for rule in OPEN_TO_ITSELF:
        home.on(FAR, "iptables", "-A", "INPUT", *rule, "-j", "ACCEPT")
    home.on(FAR, "iptables", "-A", "INPUT", "-j", "DROP")
    home.on(FAR, "iptables", "-I", "FORWARD", "-i", "eth0", "-m", "conntrack",
            "--ctstate", "NEW", "-j", "DROP")  # fmt: skip
    with pytest.raises(TimeoutError):
        socket.create_connection((nodes[FAR]["address"], 22), timeout=2)
    login = f"ubuntu@{nodes[PLACE]['address']}"
    yield ("--via", login, "--key", str(logins.key_file(home.fleet)))
    known = {one["name"] for one in home.json("node", "list")}
    for name in known & {"far01", "far02"}:
        home.evc("node", "remove", name, "--forget")
    home.on(FAR, "iptables", "-F", "INPUT")
    home.on(FAR, "iptables", "-D", "FORWARD", "1")
    home.on(FAR, "sh", "-c", "docker ps -aq | xargs -r docker rm -f; evc-leave", check=False)
    home.evc("lab", "up", "--nodes", "3", "--builders", "1")


def boot(home: Home, script: Path, code: int = 0) -> str:
    """Run a first-boot script as root on edge03; all that it says."""
    name = f"evc-{home.fleet.id}-{FAR}"
    subprocess.run(["docker", "cp", "-q", str(script), f"{name}:/root/first-boot.sh"], check=True)
    command = ["docker", "exec", name, "sh", "/root/first-boot.sh"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def fingerprint(home: Home) -> str:
    return home.on(FAR, "ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key").split()[1]


def answers(home: Home) -> bool:
    try:
        home.evc("node", "exec", "--on", "far01", "--", "true")
    except AssertionError:
        return False
    return True


def present(home: Home, script: Path, token: str) -> str:
    """What the rendezvous says to whoever has the script's key, and brings a key of its own."""
    text, key = script.read_text(), key_of(script)
    other = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"x" * 32).decode()
    host, port = (re.search(rf"^{one}=(\S+)", text, re.MULTILINE)[1] for one in ("host", "port"))
    home.on("edge02", "sh", "-c", "umask 077; printf '%s\\n' \"$1\" > /tmp/key", "-", key)
    command = (
        'printf "%s\\n" "$1" "$2" | ssh -T -i /tmp/key -o StrictHostKeyChecking=no'
        ' -p "$3" "evc-tunnel@$4" anything'
    )
    return home.on("edge02", "sh", "-c", command, "-", token, other, port, host, check=False)


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def key_of(script: Path) -> str:
    text = script.read_text()
    (key,) = re.findall(r"-----BEGIN.*?END OPENSSH PRIVATE KEY-----", text, re.DOTALL)
    return key


def token_of(script: Path) -> str:
    return re.search(r"^token=(\S+)", script.read_text(), re.MULTILINE)[1]


def test_a_script_that_came_too_late(home: Home, via: tuple[str, ...], tmp_path: Path) -> None:
    script = tmp_path / "late.sh"
    assert "--via" in home.evc("node", "enroll", "far02", "--to", str(script), code=2).stderr
    home.evc("node", "enroll", "far02", *via, "--hours", "0.00001", "--to", str(script))
    assert "this token expired" in boot(home, script, code=1)
    home.evc("node", "accept", "far02", code=1)
    assert home.json("node", "revoke", "far02")["nodes"]["far02"]["actions"] == ["script"]
    assert home.json("node", "accept") == []
    assert ":far02" not in home.on(PLACE, "cat", "/var/lib/evc-tunnel/.ssh/authorized_keys")


def test_from_the_first_boot_to_a_prediction(
    home: Home, via: tuple[str, ...], tiny: Callable[..., Path], tmp_path: Path
) -> None:
    script = tmp_path / "far01.sh"
    enrolled = home.evc("-v", "node", "enroll", "far01", *via, "--group", "shop", "--label", "a=b",
                        "--to", str(script))  # fmt: skip
    assert script.stat().st_mode & 0o777 == 0o600
    token = token_of(script)
    secrets = {"the token": token, "the script's key": key_of(script).splitlines()[2]}
    watch = Watch(home, secrets, empty(tmp_path / "tmp"))
    watch.look("output of enroll", enrolled.stdout + enrolled.stderr)
    home.on(FAR, "sh", "-c", 'printf %s "$1" > /usr/local/bin/ssh; chmod 755 /usr/local/bin/ssh',
            "-", SPY)  # fmt: skip
    try:
        said = boot(home, script)
    finally:
        home.on(FAR, "rm", "/usr/local/bin/ssh")
    assert fingerprint(home) in said
    seen = home.on(FAR, "cat", "/opt/cmdlines")
    assert "far01 is enrolled" in boot(home, script), "again is the same as once"
    assert "this token was used already" in present(home, script, token)
    assert "this token is wrong" in present(home, script, "x" * 43)

    waiting = {one["name"]: one for one in home.json("node", "accept")}
    assert waiting["far01"]["fingerprint"] == fingerprint(home)
    assert (
        f"--fingerprint {fingerprint(home)}" in home.evc("node", "accept", "far01", code=1).stderr
    )
    home.evc("node", "accept", "far01", "--fingerprint", "SHA256:x", code=1)
    accept = ("node", "accept", "far01", "--fingerprint", fingerprint(home), "-o", "json")
    done = json.loads(watch.evc(*accept))
    assert done["nodes"]["far01"] == {**done["nodes"]["far01"], "outcome": "done", "warnings": []}
    assert "Permission denied" in present(home, script, token), "the script opens nothing any more"

    outcome = home.json("run", str(tiny("1", model="far")), "--on", "shop")
    assert outcome["nodes"]["far01"]["outcome"] == "done", outcome
    (served,) = home.models(FAR, "far")
    assert served["Config"]["Labels"]["evc.release"] == outcome["release"]
    assert outcome["nodes"]["far01"]["url"] == "", "nobody can dial it"
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"any")
    predicted = home.json("predict", "far", "-i", str(photo), "--on", "far01")
    assert "problem" not in predicted["predictions"][0]
    found = home.json("doctor", "--on", "far01")["findings"]
    assert [one["level"] for one in found if "the rendezvous" in one["what"]] == ["ok"]
    home.evc("logger", "--once", "--on", "far01")
    stored = home.rows("SELECT count(*) AS n FROM sample JOIN logged_node"
                       " ON logged_node.id = node_id WHERE name = 'far01'")  # fmt: skip
    assert stored[0]["n"] > 0, "the logger's stream goes through the tunnel too"
    assert home.evc("node", "exec", "--on", "far01", "--", "hostname").stdout == "far01 | edge03\n"
    assert home.json("run", str(tiny("1", model="far")), "--on", "shop")["outcome"] == "nothing"
    assert home.json("node", "add", "far01")["nodes"]["far01"]["outcome"] == "done"
    (status,) = home.json("status", "--on", "far01")["nodes"]
    assert status["up"] and status["models"][0]["state"] == "serving"
    assert "evc-tunnel@" in seen and token not in seen, "nobody read it among the processes"


def test_the_tunnel_comes_back(home: Home, via: tuple[str, ...]) -> None:
    """By its keeper when the connection dies; by cron when the keeper is gone too.

    So does the watcher, in the same minute.
    """
    home.on(FAR, "pkill", "-u", "evc", "-x", "ssh")
    home.until(FAR, "pgrep -u evc -x ssh")
    wait_until("the keeper connects again", lambda: answers(home))
    home.until(FAR, f"pgrep -f '{WATCHER}'", 120)  # cron's first minute may not be there yet
    home.on(FAR, "pkill", "-f", "while :; do /usr/local/sbin/evc-tunnel")
    home.on(FAR, "pkill", "-u", "evc", "-x", "ssh")
    home.on(FAR, "pkill", "-9", "-f", WATCHER)
    assert not answers(home)
    home.until(FAR, f"pgrep -f '{WATCHER}'", 120)
    home.until(FAR, "pgrep -u evc -x ssh", 120)
    wait_until("cron started the keeper again", lambda: answers(home))


def test_an_image_comes_through_the_tunnel(
    home: Home, via: tuple[str, ...], tiny: Callable[..., Path]
) -> None:
    """The registry is where the node does not get to, as behind most rendezvous hosts."""
    port = registry.load(home.fleet).reader.rpartition(":")[2]
    rule = ("OUTPUT", "-p", "tcp", "--dport", port, "-j", "DROP")
    home.on(FAR, "iptables", "-A", *rule)
    try:
        outcome = home.json("run", str(tiny("2", model="far")), "--on", "far01")
    finally:
        home.on(FAR, "iptables", "-D", *rule)
    assert outcome["nodes"]["far01"]["outcome"] == "done", outcome
    (served,) = home.models(FAR, "far")
    names = home.on(FAR, "docker", "image", "inspect", served["Image"])
    assert "127.0.0.1:" in names, "it came over the node's own loopback"


def test_a_hostile_node_has_nothing_but_its_port(home: Home, via: tuple[str, ...]) -> None:
    program = home.on(FAR, "cat", "/usr/local/sbin/evc-tunnel")
    (forward,) = re.findall(r"-R (\S+)", program)
    own = forward.split(":")[1]
    words = program.partition("exec ")[2].replace("\\\n", "").split()
    base = [word for word in words if word not in ("-N", "-R", forward)]
    ssh, host = ["timeout", "20", *base[:-1]], base[-1]  # what is allowed would stay
    for listen in ("127.0.0.1:29999", f"0.0.0.0:{own}", f"*:{own}", "/tmp/evil.sock"):
        said = home.on(FAR, *ssh, "-N", "-R", f"{listen}:127.0.0.1:22", host, check=False)
        assert "forwarding failed" in said, f"{listen}: {said}"
    assert home.on(FAR, *ssh, host, "id", check=False) == ""
    assert home.on(FAR, *ssh, "-tt", host, check=False).count("uid=") == 0
    said = home.on(FAR, *ssh, "-W", "127.0.0.1:22", host, check=False)
    assert "prohibited" in said and "SSH-2.0" not in said
    home.on(PLACE, "sh", "-c", 'rm -f /tmp/open.sock; python3 -c "$1" > /dev/null 2>&1 &', "-",
            LISTENER)  # fmt: skip
    forwarded = [*ssh, "-N", "-L", "127.0.0.1:7777:/tmp/open.sock", host]
    assert home.on(FAR, "python3", "-c", REACH, *forwarded).splitlines()[-1] == "b''"


def pulls(home: Home, auth: str) -> bool:
    """Whether the registry takes a login now, asked by a real request."""
    found = registry.load(home.fleet)
    user, _, password = base64.b64decode(auth).decode().partition(":")
    try:
        with RegistryClient(found.reader, found.ca, user, Secret(password)) as client:
            client.ping()
    except EvcError as error:
        assert "does not take this fleet's login" in error.message
        return False
    return True


def login_on(home: Home, node: str) -> str:
    config: Any = json.loads(home.on(node, "cat", "/var/lib/evc/docker/config.json"))
    return str(config["auths"][registry.load(home.fleet).reader]["auth"])


def test_revoke_ends_it_all(
    home: Home, via: tuple[str, ...], tiny: Callable[..., Path], tmp_path: Path
) -> None:
    home.evc("node", "add", "edge02")
    secret = tmp_path / "secret"
    fleets.write_private(secret, "sEntInel-secret-2718")
    for key, scope in (("CAMERA", ("--group", "shop")), ("DOOR", ("--node", "edge02"))):
        home.evc("secret", "set", key, *scope, "--file", str(secret), "--no-apply")
    far, other = login_on(home, FAR), login_on(home, "edge02")
    assert far != other and pulls(home, far) and pulls(home, other)

    secrets = {"the login": far, "the secret": "sEntInel-secret-2718"}
    watch = Watch(home, secrets, empty(tmp_path / "tmp"))
    revoked = json.loads(watch.evc("node", "revoke", "far01", "-o", "json"))

    assert revoked["nodes"]["far01"]["actions"] == [
        "registration", "registry login", "tunnel"]  # fmt: skip
    held = [one["what"].partition(" (")[0].partition("+")[0] for one in revoked["rotate"]]
    assert held == ["the image far 2", "the secret CAMERA"]
    assert not pulls(home, far) and pulls(home, other)
    command = home.on(FAR, "cat", "/usr/local/sbin/evc-tunnel").partition("exec ")[2]
    said = home.on(FAR, "sh", "-c", command, check=False)
    assert "Permission denied" in said
    (status,) = home.json("status", "--on", "far01")["nodes"]
    assert not status["up"] and "revoked" in status["reason"]
    assert "revoked" in home.evc("node", "exec", "--on", "far01", "--", "true", code=1).stderr
    outcome = home.json("run", str(tiny("3", model="far")), "--on", "far01", code=1)
    assert outcome["nodes"]["far01"]["outcome"] == "pending"
    keys = home.on(PLACE, "cat", "/var/lib/evc-tunnel/.ssh/authorized_keys")
    assert ":tunnel:far01" not in keys and ":controller" in keys

    script = tmp_path / "again.sh"
    home.evc("node", "enroll", "far01", "--to", str(script))
    boot(home, script)
    home.evc("node", "accept", "far01", "--fingerprint", fingerprint(home))
    node = home.json("node", "show", "far01")
    assert (node["groups"], node["labels"], node["registered"]) == (["shop"], {"a": "b"}, True)
    assert login_on(home, FAR) != far and pulls(home, login_on(home, FAR))


def test_remove_closes_the_tunnel(home: Home, via: tuple[str, ...]) -> None:
    done = home.json("node", "remove", "far01")
    assert "evc-leave" in done["nodes"]["far01"]["warnings"][0]
    assert home.models(FAR, "far") == []
    home.on(FAR, "evc-leave", check=False)
    assert home.on(FAR, "getent", "passwd", "evc", check=False) == ""
    keys = home.on(PLACE, "cat", "/var/lib/evc-tunnel/.ssh/authorized_keys")
    assert ":far01" not in keys
