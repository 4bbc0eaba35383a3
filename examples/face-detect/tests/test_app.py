"""The service as EVC runs it: a process, HTTP, lines on stdout, SIGTERM."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from unittest import mock

import app
from detector import weights_folder
from PIL import Image
from support import SAMPLE, SAMPLE_FACE, TOLERANCE, encoded, farthest, sample_image

APP = Path(__file__).resolve().parent.parent / "app.py"
STOP_SECONDS = 20  # the longest a machine under load may take to stop


class Answer(NamedTuple):
    """An HTTP response."""

    status: int
    type: str
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


class RunningApp:
    """app.py on a free port of the loopback."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "HOST": "127.0.0.1",
            "PORT": "0",
            "EVC_WEIGHTS": str(weights_folder().resolve()),
        }
        self.process = subprocess.Popen(
            [sys.executable, str(APP)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self.wait_until_listening()

    def wait_until_listening(self) -> str:
        """Give the address uvicorn announces, or fail with what it said instead."""
        assert self.process.stderr is not None
        said = ""
        for line in self.process.stderr:
            said += line
            if found := re.search(r"running on (http://[\d.:]+)", line):
                return found[1]
        self.process.wait(STOP_SECONDS)
        raise AssertionError(f"app.py did not start:\n{said}")

    def ask(self, path: str, body: bytes | None = None) -> Answer:
        """GET a path, or POST a body to it."""
        request = urllib.request.Request(self.url + path, data=body)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answer(response.status, response.headers["Content-Type"], response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers["Content-Type"], error.read())

    def stop(self) -> list[str]:
        """End it as Docker does and give the lines it printed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.communicate(timeout=STOP_SECONDS)[0].splitlines()
        finally:
            self.process.kill()


class Endpoints(unittest.TestCase):
    service: ClassVar[RunningApp]

    @classmethod
    def setUpClass(cls) -> None:
        cls.service = RunningApp()
        cls.addClassCleanup(cls.service.stop)

    def test_health(self) -> None:
        answer = self.service.ask("/health")
        self.assertEqual((answer.status, answer.json), (200, {"status": "ok"}))

    def test_predict(self) -> None:
        answer = self.service.ask("/predict", SAMPLE.read_bytes())
        self.assertEqual((answer.status, answer.type), (200, "application/json"))
        (face,) = answer.json["results"]
        self.assertEqual(list(face), ["class", "probability", "box"])
        self.assertEqual(face["class"], "face")
        self.assertGreater(face["probability"], 0.999)
        self.assertLessEqual(farthest(face["box"], SAMPLE_FACE), TOLERANCE)

    def test_boxes_are_of_the_upright_original(self) -> None:
        large = sample_image().resize((1536, 1536)).transpose(Image.Transpose.ROTATE_90)
        answer = self.service.ask("/predict", encoded(large, orientation=6))
        (face,) = answer.json["results"]
        expected = tuple(3 * value for value in SAMPLE_FACE)
        self.assertLessEqual(farthest(face["box"], expected), 4 * TOLERANCE)

    def test_no_face(self) -> None:
        flat = encoded(Image.new("RGB", (320, 240), "grey"))
        self.assertEqual(self.service.ask("/predict", flat).json, {"results": []})

    def test_page_and_sample(self) -> None:
        page = self.service.ask("/?sample")
        self.assertEqual((page.status, page.type), (200, "text/html; charset=utf-8"))
        loaded = re.findall(rb"(?:src|href)=[\"'](?!data:)[^\"']*", page.body)
        self.assertEqual(loaded, [], "the page must load nothing from elsewhere")
        sample = self.service.ask("/sample.jpg")
        self.assertEqual((sample.type, sample.body), ("image/jpeg", SAMPLE.read_bytes()))


class BadInput(unittest.TestCase):
    service: ClassVar[RunningApp]

    @classmethod
    def setUpClass(cls) -> None:
        cls.service = RunningApp()
        cls.addClassCleanup(cls.service.stop)

    def assert_refused(self, answer: Answer, status: int, advice: str) -> None:
        self.assertEqual(answer.status, status)
        self.assertIn(advice, answer.json["error"])
        self.assertEqual(self.service.ask("/health").status, 200)

    def test_not_an_image(self) -> None:
        self.assert_refused(self.service.ask("/predict", b"hello"), 415, "send one of JPEG")

    def test_empty(self) -> None:
        self.assert_refused(self.service.ask("/predict", b""), 400, "send the bytes of an image")

    def test_damaged(self) -> None:
        half = SAMPLE.read_bytes()[:30_000]
        self.assert_refused(self.service.ask("/predict", half), 400, "save it again")

    def test_wrong_method_and_path(self) -> None:
        self.assert_refused(self.service.ask("/predict"), 405, "POST an image to /predict")
        self.assert_refused(self.service.ask("/nothing"), 404, "POST an image to /predict")

    def test_announced_too_large_is_refused_unread(self) -> None:
        self.assert_refused(self.post_head("Content-Length", "20000001"), 413, "send a smaller one")

    def test_too_large_in_chunks(self) -> None:
        chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
        answer = self.post_head("Transfer-Encoding", "chunked", chunk * 20)
        self.assert_refused(answer, 413, "send a smaller one")

    def test_sender_who_hangs_up_does_no_harm(self) -> None:
        connection = self.connection()
        connection.putrequest("POST", "/predict")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"some")
        connection.close()
        self.assertEqual(self.service.ask("/health").status, 200)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.service.url.removeprefix("http://"), timeout=60)

    def post_head(self, header: str, value: str, sent: bytes = b"") -> Answer:
        """POST a body that is announced but only begun, and give the answer to that."""
        connection = self.connection()
        self.addCleanup(connection.close)
        connection.putrequest("POST", "/predict")
        connection.putheader(header, value)
        connection.endheaders(sent)
        response = connection.getresponse()
        return Answer(response.status, response.headers["Content-Type"], response.read())


class EventLoop(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.service = app.Service(weights_folder())
        self.addCleanup(self.service.worker.shutdown)

    async def test_goes_on_during_a_prediction(self) -> None:
        loop_ran = threading.Event()
        with mock.patch.object(self.service, "detect", lambda file: loop_ran.wait(10)):
            prediction = asyncio.create_task(self.service.predict(io.BytesIO()))
            await asyncio.sleep(0)
            loop_ran.set()  # never reached if predict() held the loop until detect() returned
            self.assertTrue(await prediction)


class Process(unittest.TestCase):
    def test_one_line_a_prediction_and_nothing_else(self) -> None:
        service = RunningApp()
        before = time.time()
        results = service.ask("/predict", SAMPLE.read_bytes()).json["results"]
        service.ask("/predict", b"no image")
        (line,) = service.stop()
        event = json.loads(line)
        self.assertEqual(list(event), ["event", "time", "latency_ms", "results"])
        self.assertEqual((event["event"], event["results"]), ("prediction", results))
        self.assertTrue(before - 1 < event["time"] < time.time() + 1)
        self.assertGreater(event["latency_ms"], 0)

    def test_sigterm_stops_it_with_a_client_connected(self) -> None:
        service = RunningApp()
        idle = http.client.HTTPConnection(service.url.removeprefix("http://"))
        self.addCleanup(idle.close)
        idle.connect()
        service.stop()
        self.assertIn(service.process.returncode, (0, -signal.SIGTERM))
