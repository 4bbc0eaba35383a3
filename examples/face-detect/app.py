"""Serve the face detector over HTTP: /predict for programs, / for people, /health for EVC."""

from __future__ import annotations

import asyncio
import io
import json
import os
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import uvicorn
from detector import Detector, Face, weights_folder
from photo import MAX_BYTES, BadPhoto, in_original, read_photo
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

HERE = Path(__file__).resolve().parent
SAMPLE = HERE / "samples" / "astronaut.jpg"
UPLOADS_AT_ONCE = 3  # 3 x MAX_BYTES fits in memory; further senders wait for their turn
UPLOAD_SECONDS = 60  # so that a sender who stalls does not keep a turn for ever
# The page may load from this server only, whatever is edited into it later.
PAGE_POLICY = "default-src 'self' 'unsafe-inline'; img-src 'self' blob: data:"


class Service:
    """The loaded detector and the one thread it runs in.

    One at a time: onnxruntime already spreads a prediction over the cores, and two together
    would only double the memory.
    """

    def __init__(self, weights: Path) -> None:
        self.detector = Detector(weights)
        self.worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="detector")
        self.uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)
        with SAMPLE.open("rb") as sample:
            self.detect(sample)  # the first run of a network is the slow one

    def detect(self, file: BinaryIO) -> list[Face]:
        """Give the faces in an image file, boxes in its own pixels; may raise BadPhoto."""
        photo = read_photo(file)
        return [in_original(face, photo.shrunk_by) for face in self.detector.find(photo.image)]

    async def predict(self, file: BinaryIO) -> list[Face]:
        """Detect without blocking the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.worker, self.detect, file)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Load the model before the first request, and drop queued work at the end."""
    app.state.service = Service(weights_folder())
    yield
    app.state.service.worker.shutdown(wait=False, cancel_futures=True)


async def health(request: Request) -> Response:
    """Answer 200; the server only listens once the model is loaded."""
    return JSONResponse({"status": "ok"})


async def predict(request: Request) -> Response:
    """Answer an image's bytes with the faces in it."""
    service: Service = request.app.state.service
    async with service.uploads:
        body = await read_body(request)
        started = time.perf_counter()
        faces = await service.predict(body)
    results = [as_result(face) for face in faces]
    log_prediction(results, time.perf_counter() - started)
    return JSONResponse({"results": results})


async def read_body(request: Request) -> BinaryIO:
    """Read a body of at most MAX_BYTES, giving up as soon as it is known to be longer.

    Raises BadPhoto when it is empty, too long or too slow.
    """
    announced = request.headers.get("content-length", "")
    check_length(int(announced) if announced.isdigit() else 0)
    body = io.BytesIO()  # not bytes: joining the chunks would hold a large photo twice
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            async for chunk in request.stream():
                body.write(chunk)
                check_length(body.tell())
    except TimeoutError as error:
        raise BadPhoto(f"not received within {UPLOAD_SECONDS} s: send it again", 408) from error
    if not body.tell():
        raise BadPhoto("the body is empty: send the bytes of an image")
    return body


def check_length(length: int) -> None:
    """Raise BadPhoto when a body of this many bytes is too long."""
    if length > MAX_BYTES:
        raise BadPhoto(f"the image is over {MAX_BYTES // 10**6} MB: send a smaller one", 413)


def as_result(face: Face) -> dict[str, object]:
    """Give a face as EVC's detection result: box is left, top, width, height in pixels."""
    return {"class": "face", "probability": round(face.probability, 4), "box": list(face.box)}


def log_prediction(results: list[dict[str, object]], seconds: float) -> None:
    """Print one JSON line for EVC; the latency counts the wait for the worker, not the upload."""
    latency_ms = round(seconds * 1000, 1)
    event = {"event": "prediction", "time": round(time.time(), 3), "latency_ms": latency_ms}
    print(json.dumps({**event, "results": results}), flush=True)


async def page(request: Request) -> Response:
    """Give the page where a person tries a photo."""
    return FileResponse(HERE / "page.html", headers={"Content-Security-Policy": PAGE_POLICY})


async def sample(request: Request) -> Response:
    """Give the sample photo."""
    return FileResponse(SAMPLE)


async def bad_photo(request: Request, error: Exception) -> Response:
    """Answer a photo that can't be used."""
    status = error.status if isinstance(error, BadPhoto) else 400
    return JSONResponse({"error": str(error)}, status)


async def http_error(request: Request, error: Exception) -> Response:
    """Answer a wrong path or method in JSON too."""
    assert isinstance(error, HTTPException)
    message = f"{error.detail}: POST an image to /predict, or open / in a browser"
    return JSONResponse({"error": message}, error.status_code, error.headers)


async def sender_gone(request: Request, error: Exception) -> Response:
    """End quietly when the sender hangs up; nobody is left to read this."""
    return Response(status_code=400)


app = Starlette(
    routes=[
        Route("/health", health),
        Route("/predict", predict, methods=["POST"]),
        Route("/", page),
        Route("/sample.jpg", sample),
    ],
    exception_handlers={
        BadPhoto: bad_photo,
        HTTPException: http_error,
        ClientDisconnect: sender_gone,
    },
    lifespan=lifespan,
)


def main() -> None:
    """Serve until SIGTERM; HOST and PORT are for tests, EVC uses the defaults."""
    host, port = os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8000"))
    # stdout is for predictions only: uvicorn's access log would mix with them.
    uvicorn.run(app, host=host, port=port, access_log=False, timeout_graceful_shutdown=5)


if __name__ == "__main__":
    main()
