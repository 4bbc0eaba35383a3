"""Serves 200s; a file `fault` makes it sick on the node while it is well on the builder."""

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer

FAULT = Path("fault").read_text().strip()
# On the builder the smoke test runs under this name and must pass.
ON_BUILDER = "EVC_MODEL" not in os.environ
LET_GO = threading.Event()


class Server(ThreadingHTTPServer):
    def server_bind(self):
        """Without asking a name server what this host is called, which may take a minute."""
        TCPServer.server_bind(self)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        held = FAULT == "held" and not LET_GO.is_set()
        sick = (FAULT == "unhealthy" or held) and not ON_BUILDER
        self.send_response(500 if sick else 200)
        self.end_headers()
        self.wfile.write(b"ok")

    def do_POST(self):
        if self.path == "/go":
            LET_GO.set()
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"results": []}')


if FAULT == "exits" and not ON_BUILDER:
    sys.exit("the model file is corrupt")
server = Server(("0.0.0.0", 8100), Handler)
if FAULT == "dies" and not ON_BUILDER:
    threading.Timer(1.5, os._exit, [7]).start()
server.serve_forever()
