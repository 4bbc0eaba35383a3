"""Running playbooks with ansible-runner, each in a private folder that is gone afterwards.

Results come from events, never from parsed output. ansible-runner's quirks that are handled here:
a reused folder leaks variables, `command` stores the environment, workers outlive a timeout.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evc.doors.ansible import folders
from evc.pure.errors import EvcError

FORKS = 50
LOG = logging.getLogger(__name__)  # Ansible's own output, for whoever asks for it
VERBOSITY = 3
OnTask = Callable[[str, str], None]

_RESULTS = ("runner_on_ok", "runner_on_failed", "runner_on_unreachable")
# Ansible looks for its workers' results every millisecond, which takes a tenth of a core.
_CONFIG = "[defaults]\ninternal_poll_interval = 0.02\n"
_SETTINGS = {"pexpect_timeout": 1, "suppress_ansible_output": True}


@dataclass
class Result:
    """How a play ended on one node: the results of its named tasks, or what went wrong.

    `doing` is the task that it has begun and not ended.
    """

    ok: bool = True
    reachable: bool = True
    message: str = ""
    changed: bool = False
    doing: str = ""
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Connection:
    """What every play of a fleet shares: pinned host keys, and a 0700 folder for SSH's sockets."""

    known_hosts: Path
    sockets: Path


def script(path: Path) -> str:
    """A file of the controller's as `ansible.builtin.script` takes it: in quotes it does not hold.

    Of a folder whose name has both kinds, or a variable of the shell's (`$HOME`), Ansible says that
    it finds no such file.
    """
    quote = '"' if "'" in str(path) else "'"
    return f"{quote}{path}{quote}"


def play(
    playbook: Path,
    hosts: Mapping[str, Mapping[str, Any]],
    variables: Mapping[str, Any],
    connection: Connection,
    on_task: OnTask = lambda host, task: None,
    timeout: int = 1800,
) -> dict[str, Result]:
    """Run `playbook` on `hosts` (name → Ansible variables); a Result for each.

    Secrets travel as files that variables name; a node that does not end within `timeout` seconds
    has failed. Raises EvcError when Ansible itself fails.
    """
    results, stop = {name: Result() for name in hosts}, threading.Event()
    with folders.private() as folder:
        order = _order(playbook, hosts, variables, _environment(connection, folder), folder)
        order["settings"]["job_timeout"] = timeout
        order["event_handler"] = lambda event: _take(event, results, on_task)
        runner = _run_in_thread({**order, "cancel_callback": stop.is_set}, stop)
        if runner.status == "timeout":
            folders.end(folder)
            _give_up(results, timeout)
        _check(runner, playbook.stem, results)
    return results


def _order(
    playbook: Path,
    hosts: Mapping[str, Mapping[str, Any]],
    variables: Mapping[str, Any],
    environment: Mapping[str, str],
    folder: Path,
) -> dict[str, Any]:
    """What ansible-runner is told of a play."""
    return {
        "private_data_dir": str(folder),
        "project_dir": str(playbook.parent),
        "playbook": playbook.name,
        "inventory": {"all": {"hosts": {name: dict(value) for name, value in hosts.items()}}},
        "extravars": dict(variables),
        "envvars": dict(environment),
        "settings": dict(_SETTINGS),
        "quiet": True,
        "verbosity": VERBOSITY if LOG.isEnabledFor(logging.DEBUG) else None,
    }


def _run_in_thread(order: dict[str, Any], stop: threading.Event) -> Any:
    """In a thread ansible-runner leaves the signal handlers alone, and Ctrl-C reaches us."""
    import ansible_runner  # takes a third of a second; only plays pay for it

    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(ansible_runner.run, **order)
        try:
            return future.result()
        except BaseException:
            stop.set()
            raise


def _environment(connection: Connection, folder: Path) -> dict[str, str]:
    settings = folder / "ansible.cfg"  # a user's own must not change what EVC does
    settings.write_text(_CONFIG)
    ssh = [
        "-o ControlMaster=auto -o ControlPersist=60s -o BatchMode=yes -o ConnectTimeout=10",
        "-o StrictHostKeyChecking=yes -o ServerAliveInterval=5 -o ServerAliveCountMax=3",
        f"-o UserKnownHostsFile={connection.known_hosts} -o GlobalKnownHostsFile=/dev/null",
    ]
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_SSH_ARGS": " ".join(ssh),
        "ANSIBLE_SSH_USETTY": "False",  # it would mix what a script says with its errors
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(connection.sockets),
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_FORKS": str(FORKS),
        "ANSIBLE_TIMEOUT": "10",
        "ANSIBLE_STRATEGY": "free",
        "ANSIBLE_GATHERING": "explicit",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_CONFIG": str(settings),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "LC_ALL": "C.UTF-8",
    }


def _take(event: dict[str, Any], results: dict[str, Result], on_task: OnTask) -> bool:
    """Note one event; returns False so that ansible-runner writes no file for it."""
    kind, data = event.get("event", ""), event.get("event_data", {})
    if event.get("stdout"):
        LOG.debug("%s", event["stdout"])
    host = data.get("host")
    if host in results and kind in _RESULTS:
        _note(results[host], kind, str(data.get("task", "")), data.get("res") or {}, data)
    if host in results and kind.startswith("runner_on_"):
        begins = kind == "runner_on_start"
        results[host].doing = str(data.get("task", "")) if begins else ""
        if begins:
            on_task(host, results[host].doing)
    return False


def _note(
    result: Result, kind: str, task: str, answer: dict[str, Any], data: dict[str, Any]
) -> None:
    if kind == "runner_on_ok":
        result.tasks[task] = answer
        result.changed = result.changed or bool(answer.get("changed"))
    elif kind == "runner_on_unreachable":
        result.ok = result.reachable = False
        result.message = _message(answer)
    elif kind == "runner_on_failed" and not data.get("ignore_errors"):
        result.ok = False
        result.message = f"{task}: {_message(answer)}"


def _message(answer: dict[str, Any]) -> str:
    """Of a loop, what went wrong with its first item that failed."""
    items = answer.get("results")
    for item in items if isinstance(items, list) else ():
        if item.get("failed"):
            return _message(item)
    parts = [answer.get("msg"), answer.get("stderr"), answer.get("module_stderr")]
    text = " ".join(str(part).strip() for part in parts if part)
    return " ".join(text.split())[:600] or "no reason given"


def _give_up(results: dict[str, Result], seconds: int) -> None:
    """Those that hang have failed; what the others did stands."""
    for result in results.values():
        if result.ok and (result.doing or not result.tasks):
            result.ok = False
            result.message = f"{result.doing or 'it'}: not done within {seconds} s"


def _check(runner: Any, playbook: str, results: dict[str, Result]) -> None:
    """Failures of nodes are results; anything else that stopped Ansible is an error."""
    if runner.status == "canceled":
        raise EvcError(f"the playbook {playbook} was stopped ({runner.status})")
    explained = any(not result.ok for result in results.values())
    silent = [name for name, result in results.items() if result.ok and not result.tasks]
    if (runner.rc not in (0, None) and not explained) or silent:
        output = runner.stdout.read()[-2000:] if runner.stdout else ""
        raise EvcError(f"the playbook {playbook} did not run (status {runner.rc}):\n{output}")
