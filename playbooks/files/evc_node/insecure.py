"""Let Docker talk to registries without TLS: `insecure-registries`, and a reload, never a restart.

Runs as root, at registration. What else is in daemon.json stays; a file that Docker would not take
is put back, since Docker would not start with it the next time.
"""

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import engine
import home

CONFIG = Path(os.environ.get("EVC_DOCKER_DAEMON", "/etc/docker/daemon.json"))
PID_FILES = (Path("/var/run/docker.pid"), Path("/run/docker.pid"))
KEY = "insecure-registries"
RELOAD_SECONDS = 15


def main(hosts):
    """Add `hosts` (HOST:PORT); with `--remove` first, take those away that were added before."""
    try:
        if hosts[:1] == ["--remove"]:
            changed = _change([], _added())
        else:
            changed = _change([one for one in hosts if one not in effective()], [])
    except (OSError, ValueError, engine.EngineError) as error:
        print("Docker's %s: %s" % (CONFIG, error), file=sys.stderr)
        return 1
    print(json.dumps({"changed": changed}))
    return 0


def effective():
    """The hosts that the engine talks to without TLS now."""
    return of(engine.call("GET", "/info"))


def of(info):
    """The same of an engine's `/info`."""
    known = (info.get("RegistryConfig") or {}).get("IndexConfigs") or {}
    return sorted(host for host, one in known.items() if not one.get("Secure", True))


def merged(text, add, remove):
    """The text of daemon.json with hosts added and removed; raises ValueError for no JSON."""
    config = json.loads(text) if text.strip() else {}
    if not isinstance(config, dict) or not isinstance(config.get(KEY, []), list):
        raise ValueError("not what Docker reads; nothing was changed")
    hosts = [one for one in config.get(KEY, []) if one not in remove]
    hosts += [one for one in add if one not in hosts]
    config.pop(KEY, None)
    return json.dumps({**config, KEY: hosts} if hosts else config, indent=2) + "\n"


def _change(add, remove):
    if not add and not remove:
        return False
    pid = _pid()
    words = Path("/proc/%d/cmdline" % pid).read_bytes().split(b"\0")
    if any(word.startswith(b"--insecure-registry") for word in words):
        raise ValueError("dockerd has --insecure-registry on its command line: add %s there" % add)
    before = CONFIG.read_text() if CONFIG.exists() else None
    _write(merged(before or "", add, remove))
    os.kill(pid, signal.SIGHUP)
    if add and not _within(lambda: set(add) <= set(effective())):
        if before is None:
            CONFIG.unlink()
        else:
            _write(before)
        os.kill(pid, signal.SIGHUP)
        raise ValueError("Docker did not take it; the file is as it was")
    _remember(sorted({*_added(), *add} - set(remove)))
    return True


def _pid():
    """dockerd's process id, by the file that it keeps."""
    for file in PID_FILES:
        with contextlib.suppress(OSError, ValueError):
            pid = int(file.read_text())
            if b"dockerd" in Path("/proc/%d/cmdline" % pid).read_bytes():
                return pid
    raise ValueError("dockerd keeps no pid file here: add the registry to %s by hand" % KEY)


def _within(ready):
    deadline = time.monotonic() + RELOAD_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(engine.EngineError):
            if ready():
                return True
        time.sleep(0.1)
    return False


def _write(text):
    CONFIG.parent.mkdir(parents=True, exist_ok=True)
    draft = CONFIG.with_name(".daemon.json.evc")
    draft.write_text(text)
    if CONFIG.exists():
        draft.chmod(CONFIG.stat().st_mode & 0o777)
    draft.replace(CONFIG)


def _added():
    """What EVC added here earlier."""
    try:
        return json.loads((home.HOME / "insecure.json").read_text())
    except (OSError, ValueError):
        return []


def _remember(hosts):
    (home.HOME / "insecure.json").write_text(json.dumps(hosts))
