"""Whether the registry does what it is for, tried with a real image by this machine's engine."""

from __future__ import annotations

import contextlib
import io
import secrets
import tarfile
import time

from evc.doors import docker as engine
from evc.doors.docker import Say
from evc.doors.registry import RegistryClient
from evc.pure.errors import EvcError
from evc.runbooks.registry.containers import refused
from evc.runbooks.registry.files import Registry
from evc.runbooks.registry.logins import Login

REPOSITORY = "evc/self-test"
START_SECONDS = 30


def client(registry: Registry, side: str) -> RegistryClient:
    """An HTTP client of one side with that side's own login."""
    if side == "writer":
        return _client(registry.writer, registry, registry.push)
    return _client(registry.reader, registry, registry.pull)


def answers(registry: Registry, side: str) -> None:
    """Return when a side answers and takes its login; raises EvcError."""
    with client(registry, side) as asked:
        asked.ping()


def wait(registry: Registry, side: str) -> None:
    """Wait until a side answers, at most 30 s; raises EvcError with the last reason."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return answers(registry, side)
        except EvcError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def push_and_pull(registry: Registry, say: Say) -> None:
    """Push a tiny image, pull it by digest, and try what must be refused; raises EvcError."""
    say("checking: push, pull by digest, and that the pull login cannot push")
    _refuses_pull_login(registry)
    with refused("the registry does not pass its test"):
        digest = _push(registry, secrets.token_hex(6))
        try:
            _pull(registry, digest)
        finally:
            with client(registry, "writer") as writer:
                writer.delete(REPOSITORY, digest)


def _push(registry: Registry, tag: str) -> str:
    docker, name = engine.connect(), f"{registry.writer}/{REPOSITORY}:{tag}"
    engine.import_root(docker, _tiny_root(tag), name)
    try:
        engine.push(docker, name, docker_login(registry.push), lambda line: None)
    finally:
        docker.images.remove(name)
    with client(registry, "writer") as writer:
        digest = writer.head(REPOSITORY, tag)
    if not digest:
        raise EvcError(f"{registry.writer} took an image and does not have it")
    return digest


def _pull(registry: Registry, digest: str) -> None:
    docker, name = engine.connect(), f"{registry.reader}/{REPOSITORY}"
    login = docker_login(registry.pull)
    lines = docker.api.pull(name, digest, stream=True, decode=True, auth_config=login)
    try:
        engine.follow(lines, lambda line: None)
    finally:
        with contextlib.suppress(OSError):  # an APIError: the pull had failed
            docker.images.remove(f"{name}@{digest}")


def _refuses_pull_login(registry: Registry) -> None:
    for address in (registry.writer, registry.reader):
        with _client(address, registry, registry.pull) as asked:
            if asked.takes_pushes(REPOSITORY):
                raise EvcError(f"{address} lets the nodes' pull login push")


def docker_login(login: Login) -> dict[str, str]:
    """A login as Docker's API takes it, in a header on the engine's own socket."""
    return {"username": login.user, "password": login.password.reveal()} if login.user else {}


def _client(address: str, registry: Registry, login: Login) -> RegistryClient:
    return RegistryClient(address, registry.ca, login.user, login.password, registry.other)


def _tiny_root(text: str) -> io.BytesIO:
    """A root file system of one file, as a tar."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("evc-self-test")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    archive.seek(0)
    return archive
