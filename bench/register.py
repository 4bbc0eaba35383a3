"""Registering nodes against the same playbooks by bare `ansible-playbook`, all at once there too.

The lab's logins take turns: a sudo password, root, a sudo that asks nothing; every fourth node has
another SSH port. Both sides know each node's answers beforehand.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections import Counter
from pathlib import Path

from bench.homes import Home, home
from bench.measure import Result, run, seconds
from evc.doors import fleet as fleets
from evc.doors import ssh, store
from evc.runbooks import lab, plays, register, trust
from evc.runbooks import nodes as inventory

RUNS = 3
ANSIBLES_OWN = "-C -o ControlMaster=auto -o ControlPersist=60s"  # its default for SSH


def register_20() -> Result:
    return _bench("register_20", 20, 1.2)


def register_40_mixed() -> Result:
    return _bench("register_40_mixed", 40, 1.3)


def _bench(name: str, nodes: int, goal: float) -> Result:
    with home(nodes, 0, "--no-engine") as (made, folder):
        logins = Counter(f"{one.sudo}, port {one.port}" for one in lab.status(made.fleet))
        print(f"  {dict(logins)}", file=sys.stderr, flush=True)
        _ours(made)  # pins the host keys and warms both up
        times = []
        for _ in range(RUNS):
            _forget(made)
            ours = seconds(lambda: _ours(made))
            _forget(made)
            times.append((ours, seconds(lambda: _peer(made, folder))))
            print("  ours {:.1f} s, peer {:.1f} s".format(*times[-1]), file=sys.stderr, flush=True)
    ours = statistics.median(one for one, _ in times)
    peer = statistics.median(one for _, one in times)
    return Result(name, ours, "s", f"ansible-playbook -f {nodes}", peer, goal)


class _Quiet:
    def say(self, line: str) -> None: ...

    def node(self, name: str, doing: str, done: int = 0, total: int = 0) -> None: ...

    def output(self, name: str, line: str) -> None: ...


def _ours(made: Home) -> None:
    """In a process of its own, as a command would be."""
    code = (
        "import sys; from pathlib import Path; from bench.register import register_all;"
        "register_all(Path(sys.argv[1]))"
    )
    run([sys.executable, "-c", code, str(made.fleet.root)])


def register_all(root: Path) -> None:
    fleet = fleets.Fleet(root)
    with store.opened(fleet.database, fleets.share() / "db") as opened:
        nodes = inventory.selected(opened, "lab")
        done = register.register(fleet, opened, nodes, _Quiet())
    problems = {name: one.reason for name, one in done.items() if not one.well}
    assert not problems, problems


def _forget(made: Home) -> None:
    """Nothing of EVC on the nodes; their host keys stay pinned, which both need."""
    for node in made.nodes("lab"):
        script = "userdel -f evc; rm -rf /var/lib/evc /etc/docker/certs.d /etc/cron.d/evc-watch"
        made.on(node.name, "sh", "-c", f"pkill -u evc; {script}; true")


def _peer(made: Home, folder: Path) -> None:
    """The same tasks and the same probe, with everything about the nodes known beforehand."""
    nodes = made.nodes("lab")
    shared = {
        **trust.variables(made.fleet),
        "evc_home": plays.HOME,
        "evc_adopt": False,
    }
    each, orders = (
        trust.each(made.fleet, nodes),
        trust.orders(made.fleet, nodes, key=ssh.ensure_key(made.fleet.ssh_key, "")),
    )
    probe = folder / "probe.json"
    probe.write_text("{}")
    as_person, as_evc = {}, {}
    for node in nodes:
        login = plays._login(made.fleet, node)
        order = folder / f"{node.name}.json"
        order.write_text(json.dumps(orders[node.name]))
        told = {"evc_order_file": str(order)}
        as_person[node.name] = {**login, **each[node.name], **shared, **told}
        own = plays._own(made.fleet, node)
        asked = {"evc_command": "probe", "evc_patience": 90, "evc_order_file": str(probe)}
        as_evc[node.name] = {**own, "evc_home": plays.HOME, **asked}
    _playbook(made, folder, "copy_cert", as_person)
    _playbook(made, folder, "run_model", as_evc)  # it starts EVC's program on all nodes


def _playbook(made: Home, folder: Path, name: str, hosts: dict[str, dict[str, object]]) -> None:
    inventory_file = folder / f"{name}.json"
    inventory_file.write_text(json.dumps({"all": {"hosts": hosts}}))
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    playbook = str(fleets.share() / "playbooks" / f"{name}.yaml")
    options = f"{ANSIBLES_OWN} -o UserKnownHostsFile={made.fleet.known_hosts}"
    command = [program, "-f", str(len(hosts)), "-i", str(inventory_file), playbook]
    environment = {"HOME": str(folder), "ANSIBLE_PIPELINING": "True", "ANSIBLE_SSH_ARGS": options}
    run(command, env={**os.environ, **environment})
