"""Files of the controller's that Ansible's `script` sends, whatever their folders are called."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evc.doors import ansible
from evc.doors.ansible import Connection

PLAYBOOK = """
- name: Send
  hosts: all
  gather_facts: false
  tasks:
    - name: send
      ansible.builtin.script:
        cmd: "{{ order }}"
        executable: cat
"""


@pytest.mark.parametrize("name", ["Bob's fleet", 'the "new" one', "a $(x); \\ 가게"])
def test_a_file_is_sent_from_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "send.yaml").write_text(PLAYBOOK)
    order = tmp_path / name / "order"
    order.parent.mkdir()
    order.write_text("what is sent")
    found = ansible.play(
        tmp_path / "send.yaml",
        {"here": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}},
        {"order": ansible.script(order)},
        Connection(tmp_path / "known_hosts", tmp_path),
    )["here"]
    assert found.ok, found.message
    assert found.tasks["send"]["stdout"] == "what is sent"
