"""Count the faces that a camera sees: a JSON line for each look, /health with the frame's age.

No frame is kept, unless KEEP_HOURS is set: then those with faces are in the cache, that long.
"""

from __future__ import annotations

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer

import cv2
import numpy as np
from faces import Faces
from source import Newest, address

INTERVAL = float(os.environ.get("INTERVAL", "1"))  # seconds between two looks
KEEP_HOURS = float(os.environ.get("KEEP_HOURS", "0"))
KEPT = Path(os.environ.get("KEPT", "/cache/frames"))
FORGET_SECONDS = 60.0  # between two looks for frames that were kept long enough


class Look:
    """The newest count, for whoever asks."""

    def __init__(self, frames: Newest) -> None:
        self.frames = frames
        self.faces: int | None = None

    def go_on(self) -> None:
        """Look at each new frame, for ever."""
        detector, seen = Faces(), 0.0
        while True:
            began = time.monotonic()
            frame, seen = self.frames.next(seen)
            found = detector.find(frame)
            self.faces = len(found)
            say(found, time.monotonic() - seen)
            if KEEP_HOURS and found:
                keep(KEPT, frame, time.time())
            time.sleep(max(0.0, INTERVAL - (time.monotonic() - began)))


def say(results: list[dict[str, object]], seconds: float) -> None:
    """One JSON line on stdout, which EVC's record takes up; seconds since the frame came."""
    event = {"event": "prediction", "time": round(time.time(), 3)}
    print(
        json.dumps({**event, "latency_ms": round(seconds * 1000, 1), "results": results}),
        flush=True,
    )


def keep(folder: Path, frame: np.ndarray, now: float) -> None:
    """Store a frame, named by its time."""
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{int(now * 1000)}.jpg"), frame)


def forget_on(folder: Path) -> None:
    """Remove what was kept long enough, for ever: no face may come, nor even a frame."""
    while True:
        forget(folder, time.time())
        time.sleep(FORGET_SECONDS)


def forget(folder: Path, now: float) -> None:
    """Remove the frames that are older than KEEP_HOURS; all of them when none are to be kept."""
    for old in folder.glob("*.jpg"):
        if int(old.stem) / 1000 < now - KEEP_HOURS * 3600:
            old.unlink()


class Server(ThreadingHTTPServer):
    def server_bind(self) -> None:
        """Without asking a name server what this host is called, which may take a minute."""
        TCPServer.server_bind(self)


def handler(look: Look) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"frame_age_s": look.frames.age, "faces": look.faces}).encode()
            self.send_response(200 if self.path in ("/", "/health") else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """stdout is for predictions only."""

    return Handler


def main() -> None:
    threading.Thread(target=forget_on, args=(KEPT,), daemon=True).start()
    look = Look(Newest(address()))
    threading.Thread(target=look.go_on, daemon=True).start()
    Server(("0.0.0.0", int(os.environ.get("PORT", "8010"))), handler(look)).serve_forever()


if __name__ == "__main__":
    main()
