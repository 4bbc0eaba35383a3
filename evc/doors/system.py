"""The controller as a machine: its packages, and an engine where nothing else starts one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from evc.pure.errors import EvcError

SYSTEMD = Path("/run/systemd/system")
UNITS = Path("/etc/systemd/system")
DOCKERD_LOG = Path("/var/log/evc-dockerd.log")
DOCKERD_SECONDS = 60
BINFMT, BINFMT_CONFIGS = Path("/proc/sys/fs/binfmt_misc"), Path("/usr/lib/binfmt.d")
# Platform → qemu's name for its processor.
EMULATORS = {"amd64": "qemu-x86_64", "arm64": "qemu-aarch64", "armv7": "qemu-arm"}
DOCKER_SOCKET = Path("/var/run/docker.sock")


def has(program: str) -> bool:
    """Whether a program is on PATH, or in the folders of root's."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return shutil.which(program, path=path) is not None


def free_bytes(path: Path) -> int:
    return shutil.disk_usage(path).free


def install(packages: list[str]) -> None:
    """Install Debian packages; raises EvcError where apt-get or the rights are missing."""
    if not has("apt-get"):
        raise EvcError(f"apt-get is missing; install by hand: {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if _run(command, environment):
        _run(["apt-get", "update"], environment)
        problem = _run(command, environment)
        if problem:
            raise EvcError(f"installing {' '.join(packages)} failed:\n{problem}")


def emulated() -> list[str]:
    """The platforms whose programs run here though the machine is another."""
    return [name for name, one in EMULATORS.items() if (BINFMT / one).exists()]


def emulate() -> None:
    """Have the kernel run programs of other platforms by qemu; raises EvcError.

    systemd does so by itself when the package comes; it is done here where that does not run.
    """
    install(["qemu-user-static"])
    if not (BINFMT / "register").exists():
        _must(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)])
    for name in EMULATORS.values():
        config = BINFMT_CONFIGS / f"{name}.conf"
        if config.exists() and not (BINFMT / name).exists():
            _must(["cp", str(config), str(BINFMT / "register")])


def start_engine() -> None:
    """Start Docker's engine, by systemd or (where that does not run) as a process of its own."""
    if SYSTEMD.is_dir():
        problem = _run(["systemctl", "enable", "--now", "docker"], dict(os.environ))
        if problem:
            raise EvcError(f"systemctl could not start Docker:\n{problem}")
        return
    _run(["mkdir", "-p", str(DOCKERD_LOG.parent)], dict(os.environ))
    with DOCKERD_LOG.open("ab") as log:
        process = subprocess.Popen(
            [*_sudo(), "dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + DOCKERD_SECONDS
    while not _engine_answers():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(DOCKERD_LOG.read_text(errors="replace").splitlines()[-10:])
            raise EvcError(f"dockerd did not start:\n{tail}", f"see {DOCKERD_LOG}")
        time.sleep(0.2)


def _engine_answers() -> bool:
    ask = ["docker", "version", "--format", "{{.Server.Version}}"]
    return DOCKER_SOCKET.exists() and not _run(ask, dict(os.environ), sudo=False)


def _run(command: list[str], environment: dict[str, str], sudo: bool = True) -> str:
    """Run a command; '' when it went well, else the end of what it said."""
    whole = [*(_sudo() if sudo else []), *command]
    done = subprocess.run(
        whole,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode == 0:
        return ""
    return "\n".join((done.stdout + done.stderr).splitlines()[-10:]) or f"status {done.returncode}"


def _sudo() -> list[str]:
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


def let_in(user: str, above: Path, folder: Path) -> None:
    """An ACL by which one more user passes `above` and reads and writes in `folder`.

    Of all that is made there later too; raises EvcError.
    """
    if not has("setfacl"):
        install(["acl"])
    _must(["setfacl", "-m", f"u:{user}:x", str(above)])
    rights = f"u:{user}:rwX,d:u:{user}:rwX"
    _must(["setfacl", "-R", "-m", rights, str(folder)])


def write_unit(name: str, text: str) -> None:
    """Write a systemd unit; raises EvcError when that is not allowed."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        _must(["install", "-m", "644", file.name, str(UNITS / name)])


def write_drop_in(unit: str, name: str, text: str) -> None:
    """Write a drop-in for another's unit; raises EvcError when that is not allowed."""
    _must(["mkdir", "-p", str(UNITS / f"{unit}.d")])
    write_unit(f"{unit}.d/{name}", text)


def unit_settings(name: str, settings: Sequence[str]) -> dict[str, str] | None:
    """Settings of a unit as systemd has them; None where it does not run or has no such unit."""
    if not SYSTEMD.is_dir():
        return None
    ask = ["systemctl", "show", name, "--property", ",".join(["LoadState", *settings])]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return found if found.pop("LoadState", "") == "loaded" else None


def remove_unit(name: str) -> None:
    """Remove a systemd unit; raises EvcError when that is not allowed."""
    _must(["rm", "-f", str(UNITS / name)])


def has_unit(name: str) -> bool:
    return (UNITS / name).exists()


def systemctl(*words: str) -> None:
    """Raises EvcError with what systemctl said."""
    _must(["systemctl", *words])


def unit_state(name: str) -> str:
    """`active`, `inactive`, `failed` and so on."""
    ask = ["systemctl", "is-active", name]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _must(command: list[str]) -> None:
    if problem := _run(command, dict(os.environ)):
        raise EvcError(f"{' '.join(command[:3])}: {problem}", "run it as root, or allow sudo")
