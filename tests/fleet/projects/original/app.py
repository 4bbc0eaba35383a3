"""What a Gradio application looks like from outside; reads or writes what its `needs` file says."""

import argparse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer

parser = argparse.ArgumentParser()
parser.add_argument("--server_name", default="127.0.0.1")
parser.add_argument("--server_port", type=int, default=7860)
arguments = parser.parse_args()

needs = Path("needs").read_text().strip()
if needs == "root":
    Path("/root/model.pt").read_text()
if needs == "writable":
    Path("flagged/log").write_text("started")


class Server(ThreadingHTTPServer):
    def server_bind(self):
        """Without asking a name server what this host is called, which may take a minute."""
        TCPServer.server_bind(self)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a model of the original")


Server((arguments.server_name, arguments.server_port), Handler).serve_forever()
