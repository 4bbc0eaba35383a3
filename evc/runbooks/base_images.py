"""Base images, with a hub or without: Debian itself, and a Python on it for models.

Without a hub, Debian comes from `debootstrap`. Images are named by a hash of their recipe, so that
a second run reuses them; the machine's own CA certificates go in, so that apt and pip work behind
a company's proxy.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from evc.doors import docker as engine
from evc.doors import system
from evc.doors.docker import Say
from evc.pure import platforms
from evc.pure.errors import EvcError
from evc.pure.network import NONE, Settings

SUITE = "bookworm"
# Platform → Debian's name for it, where they differ.
DEBIAN_NAMES = {"armv7": "armhf"}
HUB_IMAGE = f"debian:{SUITE}-slim"
BOOTSTRAPPED = f"evc-debootstrap:{SUITE}-slim"
# As Debian's own slim images: nodes pull what is in a base over their links.
_UNREAD = ("doc", "info", "locale", "man")
_SLIM = "".join(rf"path-exclude /usr/share/{name}/*\n" for name in _UNREAD)
_LEFT_OUT = ["./var/cache/apt/*", "./var/lib/apt/lists/*", *[f"./usr/share/{n}/*" for n in _UNREAD]]
_CLEAN = "rm -rf /var/lib/apt/lists/* /var/cache/apt/*"
LOCAL_CAS = Path("/usr/local/share/ca-certificates")

DEBIAN = """FROM {source}
COPY cas/ /usr/local/share/ca-certificates/
RUN printf '{slim}' > /etc/dpkg/dpkg.cfg.d/evc-slim \
 && apt-get update && apt-get install -y --no-install-recommends ca-certificates \
 && update-ca-certificates && {clean}
"""

PYTHON = """FROM {debian}
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_BREAK_SYSTEM_PACKAGES=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pip python3-venv \
 && ln -sf python3 /usr/bin/python && {clean}
"""


def debian(say: Say, network: Settings = NONE, platform: str = "") -> str:
    """The name of a Debian image on this machine's engine, made when it is not there.

    `platform` is one that this machine only emulates.
    """
    client = engine.connect()
    if platform:
        source = _debootstrap(f"{BOOTSTRAPPED}-{platform}", say, network, platform)
    else:
        source = HUB_IMAGE if engine.has_image(client, HUB_IMAGE) else _source(say, network)
    recipe = DEBIAN.format(source=source, slim=_SLIM, clean=_CLEAN)
    return image("evc-debian", recipe, say, _local_cas(), network, platform)


def python(say: Say, network: Settings = NONE, platform: str = "") -> str:
    """The name of a Python image on this machine's engine, made when it is not there."""
    recipe = PYTHON.format(debian=debian(say, network, platform), clean=_CLEAN)
    return image("evc-python", recipe, say, network=network, platform=platform)


def image(
    name: str,
    dockerfile: str,
    say: Say,
    files: dict[str, str] | None = None,
    network: Settings = NONE,
    platform: str = "",
) -> str:
    """Build `name` from `dockerfile` and `files` unless an image of this very recipe exists."""
    recipe = {"Dockerfile": dockerfile, **(files or {})}
    digest = hashlib.sha256(repr(sorted(recipe.items())).encode()).hexdigest()[:12]
    tag, client = f"{name}:{digest}", engine.connect()
    if not engine.has_image(client, tag):
        say(f"building {tag}")
        docker_platform = platforms.for_docker(platform) if platform else None
        engine.build(client, tag, recipe, lambda line: None, network.environment, docker_platform)
    return tag


def emulated(platform: str) -> str:
    """`platform` where this machine's engine is of another, else ''; raises EvcError.

    Its programs have to run here, to set the image up.
    """
    if not platform or engine.architecture(engine.connect()) == platforms.architecture(platform):
        return ""
    if platform not in system.emulated():
        why = f"nothing runs programs of {platform} on this machine"
        raise EvcError(why, "evc doctor --fix --emulate, or import an image made elsewhere")
    return platform


def needs_debootstrap() -> bool:
    """Whether Debian must be made here: no image of it yet, and no hub to pull one from."""
    client = engine.connect()
    there = any(engine.has_image(client, name) for name in (HUB_IMAGE, BOOTSTRAPPED))
    return not there and not engine.pull(client, HUB_IMAGE)


def _source(say: Say, network: Settings) -> str:
    client = engine.connect()
    if engine.has_image(client, BOOTSTRAPPED) or not engine.pull(client, HUB_IMAGE):
        return _debootstrap(BOOTSTRAPPED, say, network)
    return HUB_IMAGE


def _debootstrap(name: str, say: Say, network: Settings, platform: str = "") -> str:
    """Debian by its own packages; for an emulated platform they are set up by its own programs."""
    client = engine.connect()
    if engine.has_image(client, name):
        return name
    if not shutil.which("debootstrap"):
        raise EvcError("no hub answers and debootstrap is missing", "evc doctor --fix")
    say(f"making {name} with debootstrap (a minute; emulated, some more)")
    kept = f"--preserve-env={','.join(network.environment)}"
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n", *([kept] if network.environment else [])]
    with tempfile.TemporaryDirectory(prefix="evc-debootstrap-") as folder:
        root = Path(folder) / "root"
        command = ["debootstrap", "--variant=minbase", "--include=ca-certificates"]
        command += [f"--arch={DEBIAN_NAMES.get(platform, platform)}"] if platform else []
        _run([*sudo, *command, SUITE, str(root)], network)
        archive = Path(folder) / "root.tar"
        left_out = [f"--exclude={path}" for path in _LEFT_OUT]
        _run([*sudo, "tar", "-C", str(root), *left_out, "-cf", str(archive), "."])
        if platform:
            engine.import_foreign_root(client, archive, name, platforms.for_docker(platform))
        else:
            with archive.open("rb") as file:
                engine.import_root(client, file, name)
        _run([*sudo, "rm", "-rf", str(root)])
    return name


def _run(command: list[str], network: Settings = NONE) -> None:
    environment = {**os.environ, **network.environment}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise EvcError(f"{command[0]} failed:\n{tail}")


def _local_cas() -> dict[str, str]:
    """This machine's own CA certificates, as files for a build context."""
    found = {f"cas/{path.name}": path.read_text() for path in sorted(LOCAL_CAS.glob("*.crt"))}
    return found or {"cas/none": ""}
