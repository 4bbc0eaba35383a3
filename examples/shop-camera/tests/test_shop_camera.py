"""Run in the fresh image: a stream of a photo has one face in each frame."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
import unittest
from http.server import ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import numpy as np

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE))

import app  # noqa: E402
import source  # noqa: E402
import stream  # noqa: E402
from faces import Faces  # noqa: E402

PHOTO = HERE / "samples" / "astronaut.jpg"


class TestShopCamera(unittest.TestCase):
    def setUp(self) -> None:
        handler = stream.handler(PHOTO.read_bytes())
        handler.log_message = lambda *_: None  # type: ignore[method-assign]
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.address = f"http://127.0.0.1:{self.server.server_port}/"

    def frames(self) -> source.Newest:
        found = source.Newest(self.address)
        self.addCleanup(found.close)
        return found

    def test_each_frame_of_a_stream_has_the_one_face(self) -> None:
        frames, seen = self.frames(), 0.0
        for _ in range(3):
            frame, seen = frames.next(seen)
            (face,) = Faces().find(frame)
            for got, wanted in zip(face["box"], (177, 67, 95, 95), strict=True):
                self.assertAlmostEqual(got, wanted, delta=12)
            self.assertGreater(face["probability"], 0.9)
        self.assertLess(frames.age, 5)

    def test_a_camera_that_is_a_secret_is_read_from_its_file(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("rtsp://camera/live\n")
            file.flush()
            with mock.patch.dict(os.environ, {"CAMERA_FILE": file.name, "CAMERA": "x"}):
                self.assertEqual(source.address(), "rtsp://camera/live")

    def test_frames_are_kept_only_as_long_as_was_asked(self) -> None:
        """From the start on, though the camera gives nothing any more."""
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(app, "KEEP_HOURS", 1.0):
            now = time.time()
            for age in (4000, 3000):
                app.keep(Path(folder), np.zeros((8, 8, 3), np.uint8), now - age)
            self.assertEqual(len(list(Path(folder).iterdir())), 2)
            threading.Thread(target=app.forget_on, args=(Path(folder),), daemon=True).start()
            deadline = time.monotonic() + 30
            while len(left := list(Path(folder).iterdir())) != 1:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            self.assertEqual([one.stem for one in left], [str(int((now - 3000) * 1000))])
            with mock.patch.object(app, "KEEP_HOURS", 0.0):
                app.forget(Path(folder), now)
            self.assertEqual(list(Path(folder).iterdir()), [])


if __name__ == "__main__":
    unittest.main()
