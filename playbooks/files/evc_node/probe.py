"""What is there really: facts of the machine, and what EVC has on it. Reads, changes nothing."""

import contextlib
import hashlib
import json
import os
import platform
import pwd
import shutil
import socket
import sys
import time
from pathlib import Path

import engine
import home
import insecure
from journal import Journal

L4T_RELEASE = Path("/etc/nv_tegra_release")
DEVICES = ("video*", "media*", "dri/*", "dma_heap/*", "vchiq", "apex_*", "hailo*", "nvhost-*")
# Where the kernel says whose programs it runs by an emulator, and by what name.
BINFMT = Path("/proc/sys/fs/binfmt_misc")
EMULATORS = {"amd64": "qemu-x86_64", "arm64": "qemu-aarch64", "armv7": "qemu-arm"}
BOARD_MODEL = Path("/proc/device-tree/model")


def main(arguments):
    """Print one JSON object; the order says what to look for: {"images", "registries"}."""
    print(json.dumps(look(home.order(arguments))))
    return 0


def look(order):
    state = {
        "program": _digest(Path(sys.argv[0])),
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "mark": _text(home.HOME / "fleet"),
        "controller": _text(home.HOME / "controller"),
        "clock": time.time(),
        "facts": facts(),
        "certs": _certs(),
        "login": _digest(home.DOCKER_CONFIG / "config.json"),
        "watching": home.held(home.HOME / "watch.lock"),
        "engine": None,
        "engine_problem": "",
        "models": [],
        "images": {},
        "reaches": {place: reaches(place) for place in order.get("registries", [])},
    }
    try:
        state["engine"] = _engine()
        state["models"] = _models()
        state["images"] = {
            digest: engine.image_by_digest(digest) is not None for digest in order.get("images", [])
        }
    except engine.EngineError as error:
        state["engine_problem"] = str(error)
    return state


def facts():
    """The machine's hardware and system; sizes in bytes. One that cannot be read is left out."""
    found = {}
    for name, read in FACTS.items():
        with contextlib.suppress(Exception):  # an odd file on one board must not hide the node
            found[name] = read()
    return found


def _engine():
    info = engine.call("GET", "/info")
    return {
        "version": info.get("ServerVersion", ""),
        "driver": info.get("Driver", ""),
        "root": info.get("DockerRootDir", ""),
        "runtimes": sorted(info.get("Runtimes") or {}),
        "memory_limit": bool(info.get("MemoryLimit")),
        "pids_limit": bool(info.get("PidsLimit")),
        "insecure": insecure.of(info),
    }


def _models():
    """Each container that EVC made on this node."""
    return [_model(found) for found in engine.containers("evc.model")]


def _model(found):
    labels, detail = found["Labels"], engine.inspect(found["Id"])
    health = (detail["State"].get("Health") or {}).get("Status", "")
    return {
        "model": labels["evc.model"],
        "release": labels.get("evc.release", ""),
        "spec": labels.get("evc.spec", ""),
        "digest": labels.get("evc.digest", ""),
        "container": found["Id"],
        "running": detail["State"]["Running"],
        "health": health,
        "restart": detail["HostConfig"]["RestartPolicy"]["Name"],
        "started_at": detail["State"]["StartedAt"],
        "restarts": detail["RestartCount"],
        "swapping": not Journal(home.model(labels["evc.model"])).finished(),
    }


def reaches(place):
    """Whether a TCP connection to HOST:PORT comes about."""
    host, port = place.rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=3).close()
    except OSError:
        return False
    return True


def _certs():
    """Registry address → digest of the CA this node trusts for it."""
    return {path.parent.name: _digest(path) for path in home.CERTS.glob("*/ca.crt")}


def _docker_root():
    return "/var/lib/docker" if Path("/var/lib/docker").exists() else "/"


def _gpu():
    """The name of an NVIDIA GPU by what its driver shows in /proc, or ''."""
    for information in Path("/proc/driver/nvidia/gpus").glob("*/information"):
        for line in _text(information).splitlines():
            if line.startswith("Model:"):
                return line.split(":", 1)[1].strip()
    return ""


def _devices():
    """Devices that containers may get → the group that may use them."""
    found = sorted(path for one in DEVICES for path in Path("/dev").glob(one))
    return {str(path): path.stat().st_gid for path in found[:100] if not path.is_dir()}


def _l4t(text):
    """`# R36 (release), REVISION: 3.0, …` of a Jetson as `36.3.0`, or ''."""
    words = text.replace(",", " ").split()
    if len(words) < 5 or not words[1].startswith("R") or "REVISION:" not in words[:-1]:
        return ""
    return "%s.%s" % (words[1][1:], words[words.index("REVISION:") + 1])


def _os():
    """What /etc/os-release calls the system, or ''."""
    lines = [line.split("=", 1) for line in _text(Path("/etc/os-release")).splitlines()]
    return {line[0]: line[1].strip('"') for line in lines if len(line) == 2}.get("PRETTY_NAME", "")


def _text(path):
    try:
        with path.open("rb") as file:
            return file.read(65536).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _digest(path):
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


FACTS = {
    "architecture": platform.machine,
    "kernel": platform.release,
    "os": _os,
    "python": platform.python_version,
    "cpus": lambda: os.cpu_count() or 1,
    "memory": lambda: os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
    "disk_free": lambda: shutil.disk_usage(_docker_root()).free,
    "board": lambda: _text(BOARD_MODEL).strip("\0"),
    "l4t": lambda: _l4t(_text(L4T_RELEASE)),
    "gpu": lambda: _gpu() or ("Jetson" if _text(L4T_RELEASE) else ""),
    "devices": _devices,
    "emulates": lambda: [one for one in sorted(EMULATORS) if (BINFMT / EMULATORS[one]).exists()],
    "systemd": Path("/run/systemd/system").is_dir,
}
