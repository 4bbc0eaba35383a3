"""`evc node import` of files by somebody else: nothing runs here, nothing is contacted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hostile.controller import Controller, settled

PIPE = "{{ lookup('pipe','touch RAN') }}"
FILES = {
    "template.ini": (f"[shop]\ncam ansible_host={json.dumps(PIPE)}\n", "template.ini:2: cam.ansib"),
    "vars.ini": (f"cam ansible_host=127.0.0.1\n[all:vars]\nx={PIPE}\n", "vars.ini:3: all.x"),
    "proxy.ini": (
        "cam ansible_host=127.0.0.1 ansible_ssh_common_args='-o ProxyCommand=\"touch RAN\"'\n",
        "proxy.ini:1: cam.ansible_ssh_common_args",
    ),
    "local.ini": ("cam ansible_host=127.0.0.1 ansible_connection=local\n", "cam.ansible_connect"),
    "password.ini": (
        "cam ansible_host=127.0.0.1 ansible_become_password=SENTINEL\n",
        "--sudo-file FILE",
    ),
    "object.yaml": ("all: !!python/object/apply:os.system [touch RAN]\n", "object.yaml:1:"),
    "template.yaml": (f"all: {{hosts: {{cam: {{ansible_user: {json.dumps(PIPE)}}}}}}}\n", "cam."),
    "vault.yaml": ("all: {hosts: {cam: {ansible_become_password: !vault SENTINEL}}}\n", "refused"),
    "nested.yaml": ("[" * 5000, "nested deeper"),
    "bomb.yaml": ("a: &a {x: 1}\nall: {hosts: *a}\nb: &b [*a,*a]\n", "must hold"),
    "template.csv": (f'name,address,title\ncam,127.0.0.1,"{PIPE}"\n', "template.csv:2: cam.title"),
    "option.csv": ("name,address\ncam,-oProxyCommand=touch RAN\n", "option.csv:2: cam.address"),
    "twice.csv": ("name,address\ncam,127.0.0.1\ncam2,127.0.0.1\n", "twice.csv:3: cam2"),
    "key.csv": ("name,address,key\ncam,127.0.0.1,/etc/passwd\n", "can be read by other users"),
    "range.ini": ("cam[1:999999999]\n", "means 999,999,999 hosts"),
    "zero.csv": ("name\n\0\n", "zero.csv:2:"),
    "large.ini": ("#" * 3_000_000, "larger than"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_whole(controller: Controller, name: str) -> None:
    text, said_of_it = FILES[name]
    Path(name).write_text(text)
    code, said = controller.evc("node", "import", name)
    assert (code, settled(controller.network), controller.nodes()) == (2, 0, []), said
    assert said_of_it in said
    assert "SENTINEL" not in said and "\0" not in said and len(said) < 5000
    assert not list(controller.project.parent.rglob("RAN"))


def test_what_is_not_text_or_anyones_to_change_is_refused(controller: Controller) -> None:
    Path("cp949.csv").write_bytes("name,title\ncam,부산\n".encode("cp949"))
    assert "save it as UTF-8" in controller.evc("node", "import", "cp949.csv")[1]
    Path("open.ini").write_text("cam ansible_host=127.0.0.1\n")
    Path("open.ini").chmod(0o666)
    assert "can be changed by any user" in controller.evc("node", "import", "open.ini")[1]
    for name in ("open.ini", "cp949.csv", "missing.ini", "."):
        assert controller.evc("node", "import", name)[0] == 2
    assert (controller.nodes(), settled(controller.network)) == ([], 0)


def test_a_wrong_password_file_is_refused_before_anything(controller: Controller) -> None:
    Path("n.csv").write_text(f"name,address,port\ncam,127.0.0.1,{controller.network.port}\n")
    file = Path("passwords")
    for mode, text in ((0o644, "cam: SENTINEL"), (0o600, "cma: SENTINEL"), (0o600, "a\nSENTINEL")):
        file.write_text(text)
        file.chmod(mode)
        code, said = controller.evc("node", "import", "n.csv", "--sudo-file", "passwords")
        assert (code, controller.nodes(), settled(controller.network)) == (2, [], 0), said
        assert "SENTINEL" not in said


def test_problems_are_all_told_but_not_without_end(controller: Controller) -> None:
    rows = "".join(f"cam{number},-x\n" for number in range(5000))
    Path("many.csv").write_text(f"name,address\n{rows}")
    code, said = controller.evc("node", "import", "many.csv")
    assert (code, said.count("many.csv:")) == (2, 101) and "4900 problems more" in said


def test_what_is_right_is_contacted(controller: Controller) -> None:
    """Otherwise the counts of zero above would say nothing."""
    Path("n.ini").write_text(f"cam ansible_host=127.0.0.1 ansible_port={controller.network.port}\n")
    code, _ = controller.evc("node", "import", "n.ini", "--no-register")
    assert (code, settled(controller.network), controller.nodes()) == (0, 0, ["cam"])
    code, _ = controller.evc("node", "import", "n.ini")
    assert code not in (0, 2) and settled(controller.network) > 0


@pytest.mark.parametrize(
    "words",
    [
        "node set cam --title={{x}}", "node set cam --title=\x1b[2J", "node set cam --label=x",
        "node set cam --group=builder", "node set cam --address=-x", "node set cam --port=0",
        "node set cam", "node set --label=a=b", "node set --on cam --title=x",
        "node place cam --latitude=91 --longitude=0", "node place cam --latitude=nan --longitude=1",
        "node place cam --latitude=1", "node place cam", "node place cam --address={{x}}",
        "node exec -- true", "node exec --on= -- true", "node exec --on cam -- a\0b",
        "node exec --on cam", "node replace cam -x", "node replace nobody", "node trust nobody",
        "node replace cam --port=0", "node add cam2 h --jump=-x", "node add cam2 h --jump=a@b@-c",
        "node enroll cam --via h", "node enroll ../x --via h", "node enroll all --via h",
        "node enroll x", "node enroll x --via=-oProxyCommand=x", "node enroll x --via=a@-b",
        "node enroll x --via=h:0", "node enroll x --via=a;b@h", "node enroll x --via h --hours=0",
        "node enroll x --via h --hours=nan", "node enroll x --via h --label=x",
        "node enroll x --via h --group=builder", "node enroll x --via h --title={{x}}",
        "node enroll x --via 127.0.0.1", "node enroll x --via localhost:{port}",
        "node accept nobody", "node accept \x1b[2J", "node revoke nobody", "node revoke all",
        "group create cam --on all", "group create builder --on all", "group create x --on tpyo",
        "group create x --on=", "group create {{x}} --on all", "group show nobody",
        "group remove nobody",
    ],
    ids=repr,
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything(controller: Controller, words: str) -> None:
    port = controller.network.port
    Path("n.ini").write_text(f"cam ansible_host=127.0.0.1 ansible_port={port}\n")
    controller.evc("node", "import", "n.ini", "--no-register")
    code, said = controller.evc(*words.split(" "))
    assert (code, settled(controller.network)) == (2, 0), said
    assert "\x1b" not in said and "\0" not in said
