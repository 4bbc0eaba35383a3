"""Where frames come from: the setting CAMERA, which may be a secret, as OpenCV understands it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import cv2
import numpy as np

RETRY_SECONDS = 2.0
# A Jetson's ribbon camera comes through GStreamer, with an OpenCV that was built with it.
CSI = (
    "nvarguscamerasrc sensor-id={number} ! video/x-raw(memory:NVMM),width=1280,height=720"
    " ! nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! appsink drop=1"
)


def address() -> str:
    """What CAMERA says, as a variable or in a secret's file; the first device if nothing."""
    file = os.environ.get("CAMERA_FILE")
    said = Path(file).read_text() if file else os.environ.get("CAMERA", "")
    return said.strip() or "/dev/video0"


def opened(where: str) -> cv2.VideoCapture:
    """A capture of a device, a ribbon camera or a stream."""
    if where.startswith("csi"):
        return cv2.VideoCapture(CSI.format(number=where.partition(":")[2] or 0), cv2.CAP_GSTREAMER)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 5000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 5000]
    if where.startswith("/dev/"):
        return cv2.VideoCapture(where, cv2.CAP_V4L2)
    return cv2.VideoCapture(where, cv2.CAP_FFMPEG, limits)


class Newest:
    """The newest frame of a source that may go away and come back; older ones are dropped."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._frame: np.ndarray | None = None
        self._taken = 0.0
        self._arrived = threading.Condition()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read_on, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End reading; OpenCV must not be in the middle of it when the program ends."""
        self._ended.set()
        self._thread.join()

    @property
    def age(self) -> float | None:
        """Seconds since the newest frame came; None before the first."""
        return time.monotonic() - self._taken if self._taken else None

    def next(self, after: float) -> tuple[np.ndarray, float]:
        """The newest frame, waiting for one that came later than `after`, and when it came."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._taken > after)
            assert self._frame is not None
            return self._frame, self._taken

    def _read_on(self) -> None:
        while not self._ended.is_set():
            capture = opened(self._where)
            while capture.isOpened() and not self._ended.is_set():
                well, frame = capture.read()
                if not well:
                    break
                with self._arrived:
                    self._frame, self._taken = frame, time.monotonic()
                    self._arrived.notify_all()
            capture.release()
            self._ended.wait(RETRY_SECONDS)
