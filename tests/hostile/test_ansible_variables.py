"""What people and nodes write must not become an Ansible variable, nor be evaluated as one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from evc.doors import ansible
from evc.doors.ansible import Connection
from tests.hostile.controller import CONFIG, Controller, settled

TEMPLATES = ["{{ lookup('pipe','touch RAN') }}", "{% set x = lookup('pipe','touch RAN') %}",
             "{# x #}", "a{{x}}b"]  # fmt: skip
KEYS = ["ansible_connection: local", "ansible_ssh_common_args: -o ProxyCommand=touch",
        "ansible_host: h", "ansible_python_interpreter: /bin/x",
        "evc_order_file: /etc/shadow"]  # fmt: skip
FIELDS = ["name", "ip", "user", "port", "hw", "os", "gpu", "app"]
PLAYBOOK = """
- name: Echo
  hosts: all
  gather_facts: false
  tasks:
    - name: echo
      ansible.builtin.command:
        argv: [cat]
        stdin: "{{ lookup('ansible.builtin.file', evc_order_file) }}"
      register: said
    - name: echo again
      ansible.builtin.command:
        argv: [printf, "%s", "{{ said.stdout }}"]
    - name: show
      ansible.builtin.debug:
        msg: "{{ said.stdout }} {{ (said.stdout | from_json).note }}"
"""


def machine(field: str, text: str) -> str:
    values = {"name": "m", "ip": "h"} | {field: json.dumps(text)}
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"


def refused(controller: Controller, server: str, project: str, key: str) -> None:
    """`evc run` with these files ends with 2, names the key, and nothing was contacted or run."""
    controller.fleet.config_file.write_text(server)
    (controller.project / "myEVCconfig.yaml").write_text(CONFIG + project)
    code, said = controller.evc("run", "project", "--on", "all")
    assert (code, settled(controller.network)) == (2, 0), said
    assert key in said
    assert controller.nodes() == []
    assert not list(controller.project.parent.rglob("RAN"))


@pytest.mark.parametrize("text", TEMPLATES)
@pytest.mark.parametrize("field", FIELDS)
def test_a_template_in_a_machine_is_refused(controller: Controller, field: str, text: str) -> None:
    hostile = machine(field, text)
    refused(controller, f"builder: [{hostile}]", "", f"builder.0.{field}")
    refused(controller, "", f"target: {{g: [{hostile}]}}", f"target.g.0.{field}")


@pytest.mark.parametrize("key", KEYS)
def test_an_ansible_variable_in_a_machine_is_refused(controller: Controller, key: str) -> None:
    hostile, name = f"{{name: m, ip: h, {key}}}", key.partition(":")[0]
    refused(controller, f"builder: [{hostile}]", "", f"builder.0.{name}: unknown key")
    refused(controller, "", f"target: {{g: [{hostile}]}}", f"target.g.0.{name}: unknown key")
    refused(controller, key, "", f"{name}: unknown key")
    refused(controller, "", key, f"{name}: unknown key")


@pytest.mark.parametrize(
    "project",
    ["owner: {0}", "task: {0}", "data: {0}", "arch: {0}", "app: {0}", "group: [{0}]",
     "target: {{{0}: []}}", "base: {0}", "requirements: {0}", "packages: [{0}]",
     "weights: [{{path: {0}}}]", "tests: {{command: [{0}]}}", "serve: {{health: {0}}}",
     "serve: {{predict: {0}}}", "serve: {{listen: {0}}}"],
)  # fmt: skip
def test_a_template_in_a_project_is_refused(controller: Controller, project: str) -> None:
    key = project.partition(":")[0]
    refused(controller, "", project.format(json.dumps(TEMPLATES[0])), f"{key}")


@pytest.mark.parametrize(
    "words",
    ["node add cam 127.0.0.1 --user={0}", "node add cam 127.0.0.1 --group={0}",
     "node add cam 127.0.0.1 --label=site={0}", "node add cam 127.0.0.1 --label={0}=x",
     "node add cam 127.0.0.1 --port={0}", "node add cam {0}", "node add {0} 127.0.0.1"],
)  # fmt: skip
def test_a_template_as_an_argument_is_refused(controller: Controller, words: str) -> None:
    code, said = controller.evc(*[word.format(TEMPLATES[0]) for word in words.split()])
    assert (code, controller.nodes(), settled(controller.network)) == (2, [], 0), said


def test_the_program_itself_refuses_them(controller: Controller) -> None:
    controller.fleet.config_file.write_text(f"builder: [{machine('hw', TEMPLATES[0])}]")
    done = controller.program("run", "project", "--on", "all")
    assert (done.returncode, done.stdout) == (2, "")
    assert "builder.0.hw: " in done.stderr and "holds a template" in done.stderr


def test_what_an_order_or_a_node_says_is_not_evaluated(tmp_path: Path) -> None:
    """A real play on this machine: a template in an order's file and in a program's output."""
    ran, playbook, order = tmp_path / "RAN", tmp_path / "echo.yaml", tmp_path / "order"
    playbook.write_text(PLAYBOOK)
    text = json.dumps({"note": f"{{{{ lookup('pipe','touch {ran}') }}}}", "more": "{% raw %}{#"})
    order.write_text(text)
    host = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "evc_order_file": str(order),
    }
    connection = Connection(tmp_path / "known_hosts", tmp_path)
    result = ansible.play(playbook, {"cam01": host}, {}, connection, timeout=120)["cam01"]
    assert result.ok, result.message
    assert result.tasks["echo"]["stdout"] == text
    assert result.tasks["echo again"]["stdout"] == text
    assert not ran.exists()
