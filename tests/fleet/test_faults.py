"""What goes wrong in a rollout: each node ends on a release that serves, and says why."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Home, port, wait_until

from evc.cli.progress import PlainProgress
from evc.doors import fleet as fleets
from evc.doors import store
from evc.pure.outcomes import Outcome
from evc.runbooks import follow, plays, releases, run

pytestmark = pytest.mark.fleet

MODEL, NODE = "faulty", "edge01"
OTHER_PORT = 8099
Tiny = Callable[..., Path]
Fault = Callable[[Home, str], contextlib.AbstractContextManager[None]]


@pytest.fixture(scope="module", autouse=True)
def first(home: Home, tiny: Tiny) -> str:
    """A release that serves on all edge nodes."""
    done: str = home.json("run", str(tiny("1", model=MODEL)))["release"]
    return done


def built(home: Home, project: Path) -> str:
    """A release that is in the registry and on no node: its digest."""
    made = home.json("model", "build", str(project), "--on", NODE)
    digest: str = made["images"]["amd64"]
    return digest


def answers(home: Home, node: str) -> bool:
    """Whether the one container of the model does, from outside."""
    with contextlib.suppress(OSError), urllib.request.urlopen(url(home, node), timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def let_go(home: Home, node: str) -> None:
    """What a release that is held waits for, to become healthy."""
    home.until(node, _asked("/go", 'b""'))


def _asked(path: str, body: str = "None") -> str:
    """A shell command for a node: whether its container of the model answers there."""
    where = f"http://127.0.0.1:{port(MODEL)}{path}"
    ask = f'import urllib.request as u; u.urlopen("{where}", {body}, 2)'
    return f"python3 -c '{ask}' 2> /dev/null"


def url(home: Home, node: str) -> str:
    """Where the container of the model that runs is reached."""
    (found,) = [one for one in home.models(node, MODEL) if one["State"]["Running"]]
    (published,) = found["HostConfig"]["PortBindings"].values()
    address = {one["name"]: one["address"] for one in home.json("node", "list")}[node]
    return f"http://{address}:{published[0]['HostPort']}"


@contextlib.contextmanager
def not_in_registry(home: Home, digest: str) -> Iterator[None]:
    hidden = _link(home, digest)
    hidden.rename(hidden.with_name("hidden"))
    try:
        yield
    finally:
        hidden.with_name("hidden").rename(hidden)


def _link(home: Home, digest: str) -> Path:
    """What makes a digest a manifest of the registry's repository."""
    (found,) = home.fleet.registry_data.rglob(
        f"x86_64-model/_manifests/revisions/sha256/{digest.partition(':')[2]}/link"
    )
    return found


@contextlib.contextmanager
def port_taken(home: Home, digest: str) -> Iterator[None]:
    words = ["python3", "-m", "http.server", str(OTHER_PORT)]
    home.container(NODE).exec_run(words, detach=True)
    home.until(NODE, f"ss -ltn | grep -q :{OTHER_PORT}")
    try:
        yield
    finally:
        home.on(NODE, "pkill", "-f", f"http.server {OTHER_PORT}")


@contextlib.contextmanager
def disk_full(home: Home, digest: str) -> Iterator[None]:
    """Where the engine puts what it downloads there is room for one megabyte."""
    place = "/var/lib/docker/tmp"
    home.on(NODE, "mount", "-t", "tmpfs", "-o", "size=1m", "full", place)
    try:
        yield
    finally:
        home.on(NODE, "umount", place)


@pytest.mark.parametrize(
    ("version", "fault", "reason"),
    [
        ("pull", not_in_registry, "not found|unknown"),
        ("start", port_taken, "already|in use"),
        ("disk", disk_full, "no space left on device"),
    ],
)
def test_a_failure_leaves_the_old_one_serving_and_ends_with_its_cause(
    home: Home, tiny: Tiny, version: str, fault: Fault, reason: str
) -> None:
    project = tiny(version, model=MODEL)
    (project / "weights").write_bytes(os.urandom(3_000_000))
    if version == "start":
        config = project / "myEVCconfig.yaml"
        config.write_text(config.read_text() + f"app: 0.0.0.0:{OTHER_PORT}\n")
    digest = built(home, project)
    (before,) = home.models(NODE, MODEL)
    with fault(home, digest):
        failed = home.json("deploy", f"{MODEL}:{version}", "--on", NODE, code=1)["nodes"][NODE]
    assert re.search(reason, failed["reason"]), failed
    assert "the old one serves on" in failed["reason"]
    (after,) = home.models(NODE, MODEL)
    assert after["Id"] == before["Id"] and answers(home, NODE)
    assert after["HostConfig"]["RestartPolicy"]["Name"] == "always"


def test_what_dies_two_seconds_after_its_start_never_replaces_the_old_one(
    home: Home, tiny: Tiny
) -> None:
    """And what a killed program left of an earlier swap's settings goes with it."""
    (before,) = home.models(NODE, MODEL)
    words = ["docker", "create", "--label", f"evc.filler={MODEL}", before["Image"]]
    left = home.on(NODE, *words)
    done = home.json("run", str(tiny("dies", "dies", MODEL)), "--on", NODE, code=1)
    assert "ended with status 7" in done["nodes"][NODE]["reason"]
    (after,) = home.models(NODE, MODEL)
    assert after["Id"] == before["Id"] and answers(home, NODE)
    assert left not in home.on(NODE, "docker", "ps", "-aq", "--no-trunc")


@contextlib.contextmanager
def deploying(home: Home, release: str, step: str) -> Iterator[subprocess.Popen[str]]:
    """`evc deploy` in a session of its own, its swap having just reached `step`."""
    journal = f"/var/lib/evc/models/{MODEL}/journal"
    old = home.on(NODE, "head", "-n1", journal)
    command = [sys.executable, "-m", "evc", "-C", str(home.fleet.root)]
    process = subprocess.Popen(
        [*command, "deploy", release, "--on", NODE],
        start_new_session=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip

    def reached() -> bool:
        begin, *rest = home.on(NODE, "cat", journal).splitlines()
        return begin != old and any(json.loads(one)["step"] == step for one in rest)

    try:
        wait_until(f"the swap is at {step!r}", reached)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _release(home: Home) -> str:
    found = home.models(NODE, MODEL)
    return found[0]["Config"]["Labels"]["evc.release"] if len(found) == 1 else ""


def test_the_swap_goes_on_without_its_controller_and_again_converges(
    home: Home, tiny: Tiny
) -> None:
    """Meanwhile its lock keeps others out, and its death lets them in."""
    built(home, tiny("alone", "held", MODEL))
    with deploying(home, f"{MODEL}:alone", "start") as first:
        locked = home.evc("deploy", MODEL, "--on", NODE, code=4)
        assert f"deploy-{MODEL} is locked by" in locked.stderr and str(first.pid) in locked.stderr
        assert "is locked by" in home.evc("sync", "--on", NODE, code=0).stderr
        os.killpg(first.pid, signal.SIGKILL)
    let_go(home, NODE)
    wanted = lambda: _release(home).startswith("alone+") and answers(home, NODE)  # noqa: E731
    wait_until("the new release serves", wanted, 30)
    again = home.json("deploy", f"{MODEL}:alone", "--on", NODE)
    assert (again["outcome"], again["release"]) == ("nothing", _release(home))


def test_a_cut_link_is_made_again_and_the_swap_followed_to_its_end(home: Home, tiny: Tiny) -> None:
    built(home, tiny("cut", "held", MODEL))
    with deploying(home, f"{MODEL}:cut", "start") as process:
        home.until(NODE, "pgrep -f '[e]vc_node.pyz follow'")
        home.on(NODE, "pkill", "-9", "-u", "evc", "sshd")
        let_go(home, NODE)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert _release(home).startswith("cut+") and answers(home, NODE)


def test_a_rebooted_node_serves_without_controller_and_registry(home: Home) -> None:
    (before,) = home.models("edge03", MODEL)
    home.evc("registry", "down")
    try:
        home.container("edge03").kill()
        home.container("edge03").start()
        home.until("edge03", "docker version > /dev/null 2>&1")
        home.until("edge03", _asked("/health"), 60)
        (after,) = home.models("edge03", MODEL)
        assert (after["Id"], after["Image"]) == (before["Id"], before["Image"])
    finally:
        home.evc("registry", "up")
        home.evc("lab", "up", "--nodes", "3", "--builders", "1")


# In the place of Python on a node: what it says for EVC's program, whatever is put back there.
LIAR = """#!/bin/sh
case "$*" in *"evc_node.pyz {command}"*) {lie} ;; *) exec /usr/bin/python3 "$@" ;; esac
"""
MEGABYTE = """exec /usr/bin/python3 -c 'print(chr(123) + "\\\\x1b[2J{{ lookup(1) }}" * 60000)'"""


def test_a_hostile_node_fails_alone(
    home: Home, tiny: Tiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(plays, "PATIENCE_SECONDS", 20)
    monkeypatch.setattr(follow, "SILENCE_SECONDS", 12.0)  # a sign of life comes every ten
    versions = ["liar-a", "liar-b"]
    for version in versions:
        built(home, tiny(version, model=MODEL))
    template = f'{{{{ lookup("pipe", "touch {tmp_path}/ran") }}}}'
    lies = [
        ("probe", f"echo '{template}'"),
        ("probe", MEGABYTE),
        ("probe", "sleep 60"),
        ("swap", "echo '{}'"),
        ("follow", "sleep 60"),
    ]
    try:
        for number, (command, lie) in enumerate(lies):
            text = LIAR.replace("{command}", command).replace("{lie}", lie)
            put = f"import os; open('/usr/local/bin/python3', 'w').write({text!r})"
            home.on("edge02", "/usr/bin/python3", "-c", put)
            home.on("edge02", "chmod", "755", "/usr/local/bin/python3")
            found = _deployed(home, versions[number % 2])
            words = {name: one.outcome for name, one in found.nodes.items()}
            assert words == {"edge01": "done", "edge02": "failed"}, (lie, found)
            assert int(found.exit) == 3 and found.nodes["edge02"].reason
    finally:
        home.on("edge02", "rm", "-f", "/usr/local/bin/python3")
    assert not (tmp_path / "ran").exists()
    home.evc("deploy", f"{MODEL}:liar-a", "--on", "lab")


def _deployed(home: Home, version: str) -> Outcome:
    """In this process, whose patience is short."""
    with store.opened(home.fleet.database, fleets.share() / "db") as opened:
        release = releases.newest(opened, MODEL, version)
        return run.deploy(home.fleet, opened, release, "edge01,edge02", PlainProgress())


_TRIALS = "docker ps -aq --filter label=evc.trial"


def test_a_build_whose_program_is_killed_is_done_again(home: Home, tiny: Tiny) -> None:
    project = tiny("killed", model=MODEL)
    config = project / "myEVCconfig.yaml"
    config.write_text(
        config.read_text() + "tests: {command: [python3, -c, 'import time; time.sleep(6)']}\n"
    )
    command = [sys.executable, "-m", "evc", "-C", str(home.fleet.root)]
    with subprocess.Popen(
        [*command, "model", "build", str(project), "--on", NODE],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        home.until("builder01", f'[ "$({_TRIALS})" ]')
        home.on("builder01", "pkill", "-9", "-f", "evc_node.pyz build")
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and "its process was killed" in said
    assert _trials(home), "what it left is there"
    newest = home.json("history")[-1]
    assert newest["command"].startswith("model build") and newest["outcome"] == "failed"
    assert built(home, project)
    assert not _trials(home)


def _trials(home: Home) -> str:
    return home.on("builder01", *_TRIALS.split())


def test_an_image_that_the_registry_lost_is_built_as_a_release_anew(home: Home, tiny: Tiny) -> None:
    """Its digest is another one then, and a digest is never replaced."""
    project = str(tiny("lost", model=MODEL))
    before = home.json("run", project, "--on", NODE)
    _link(home, home.models(NODE, MODEL)[0]["Config"]["Labels"]["evc.digest"]).unlink()
    home.on("builder01", "docker", "image", "prune", "-af")
    home.on("builder01", "docker", "builder", "prune", "-af")
    after = home.json("run", project, "--on", NODE)
    assert after["release"] != before["release"] and _release(home) == after["release"]
    (previous,) = [
        one["images"]["amd64"]
        for one in home.json("model", "show", MODEL)
        if one["release"] == before["release"]
    ]
    names = home.on(NODE, "docker", "images", "--digests", "--format", "{{.ID}} {{.Digest}}")
    (image,) = {line.split()[0] for line in names.splitlines() if previous in line}
    home.on(NODE, "docker", "rmi", "-f", image)
    home.on(NODE, "docker", "rm", "-f", home.models(NODE, MODEL)[0]["Id"])
    again = home.json("run", project, "--on", NODE)["nodes"][NODE]
    assert again["outcome"] == "done" and answers(home, NODE), "no way back is no way's end"
    assert "a rollback would need it" in again["warnings"][0]


def test_new_machines_that_nobody_reaches_are_each_named(home: Home, tiny: Tiny) -> None:
    project = tiny("ghosts", model="ghosts")
    config = project / "myEVCconfig.yaml"
    text = config.read_text().replace("group: [lab]", "group: [ghosts]")
    machines = ", ".join(f"{{name: ghost{n}, ip: 127.0.0.9, port: {n}}}" for n in (1, 2))
    config.write_text(f"{text}target: {{ghosts: [{machines}]}}\n")
    try:
        done = home.json("run", str(project), code=1)
        assert set(done["nodes"]) == {"ghost1", "ghost2"}
        assert all("127.0.0.9" in one["reason"] for one in done["nodes"].values()), done
    finally:
        home.evc("node", "remove", "--forget", "--on", "ghosts")
