"""What a Gradio application looks like from outside; reads or writes what its `needs` file says."""

import argparse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--server_name", default="127.0.0.1")
parser.add_argument("--server_port", type=int, default=7860)
arguments = parser.parse_args()

needs = Path("needs").read_text().strip()
if needs == "root":
    Path("/root/model.pt").read_text()
if needs == "writable":
    Path("flagged/log").write_text("started")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a model of the original")


ThreadingHTTPServer((arguments.server_name, arguments.server_port), Handler).serve_forever()
