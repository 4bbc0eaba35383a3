"""A camera for a lab that has none: a photo as an MJPEG stream, with the standard library alone.

python3 stream.py samples/astronaut.jpg --listen 0.0.0.0 --port 8090
"""

from __future__ import annotations

import argparse
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FRAMES_A_SECOND = 5


def handler(photo: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(photo)}\r\n\r\n"
            try:
                while True:
                    self.wfile.write(head.encode() + photo + b"\r\n")
                    time.sleep(1 / FRAMES_A_SECOND)
            except OSError:
                return  # nobody looks any more

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path, help="a JPEG file")
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    given = parser.parse_args()
    server = ThreadingHTTPServer((given.listen, given.port), handler(given.photo.read_bytes()))
    server.serve_forever()


if __name__ == "__main__":
    main()
