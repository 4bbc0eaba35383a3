"""Why a play failed on a node, in a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

from evc.doors import ansible
from evc.doors.ansible import Connection

PLAYBOOK = """
- name: Folders
  hosts: all
  gather_facts: false
  tasks:
    - name: folders
      ansible.builtin.file:
        path: "{{ item }}"
        state: directory
        follow: false
      loop: ["{{ here }}/made", "{{ here }}/link"]
"""


def test_of_a_loop_the_item_that_failed_is_said(tmp_path: Path) -> None:
    (tmp_path / "folders.yaml").write_text(PLAYBOOK)
    (tmp_path / "link").symlink_to("/etc")
    python = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    found = ansible.play(
        tmp_path / "folders.yaml",
        {"here": python},
        {"here": str(tmp_path)},
        Connection(tmp_path / "known_hosts", tmp_path),
    )["here"]
    assert not found.ok and (tmp_path / "made").is_dir()
    assert found.message == f"folders: {tmp_path}/link already exists as a link"
