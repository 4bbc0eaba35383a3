"""A camera for a lab without one: a photo as an MJPEG stream, from one of the containers."""

from __future__ import annotations

import io
import socket
import tarfile
from threading import Event

from evc.doors import docker as engine
from evc.doors import fleet as fleets
from evc.runbooks.lab import wait
from evc.runbooks.lab.nodes import LabNode
from evc.runbooks.lab.spec import LabSpec

FOLDER, PORT = "opt/evc-camera", 8090
PROGRAM, PHOTO = "stream.py", "samples/astronaut.jpg"
DEADLINE_S = 20


def up(spec: LabSpec, node: LabNode) -> str:
    """The URL of the stream, which the container of `node` serves until that stops."""
    if not _answers(node):
        container = engine.connect().containers.get(spec.container(node))
        container.put_archive("/", _packed())
        words = [f"/{FOLDER}/{PROGRAM}", f"/{FOLDER}/{PHOTO}", "--listen", "0.0.0.0"]
        container.exec_run(["python3", *words, "--port", str(PORT)], detach=True)
        wait.until(lambda: _answers(node), DEADLINE_S, Event(), "the camera's stream")
    return f"http://{node.address}:{PORT}/"


def _packed() -> bytes:
    """The program and the photo of the example that counts faces, as a tar."""
    packed, example = io.BytesIO(), fleets.share() / "examples" / "shop-camera"
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in (PROGRAM, PHOTO):
            archive.add(example / name, f"{FOLDER}/{name}")
    return packed.getvalue()


def _answers(node: LabNode) -> bool:
    try:
        socket.create_connection((node.address, PORT), timeout=2).close()
    except OSError:
        return False
    return True
