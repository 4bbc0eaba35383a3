"""In the place of Grafana, which no hub gives here: takes EVC's settings, files and queries.

It answers what `evc dashboard grafana check` asks, from the provisioned database, with a plain
SQLite. What Grafana itself makes of a dashboard it does not know.
"""

import base64
import json
import os
import pathlib
import re
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROVISIONING = pathlib.Path(os.environ["GF_PATHS_PROVISIONING"])
SOURCE = json.loads((PROVISIONING / "datasources" / "evc.yaml").read_text())["datasources"][0]
PROVIDER = json.loads((PROVISIONING / "dashboards" / "evc.yaml").read_text())["providers"][0]
FILE = re.fullmatch(r"\$__file\{(.+)\}", os.environ["GF_SECURITY_ADMIN_PASSWORD"])[1]
LOGIN = base64.b64encode(b"admin:" + pathlib.Path(FILE).read_bytes().strip()).decode()
(pathlib.Path(os.environ["GF_PATHS_DATA"]) / "grafana.db").touch()


def query(body):
    connection = sqlite3.connect(SOURCE["jsonData"]["path"], timeout=5)
    connection.execute("PRAGMA query_only(1)")
    results = {}
    for one in body["queries"]:
        assert one["datasource"]["uid"] == SOURCE["uid"]
        try:
            rows = connection.execute(one["queryText"]).fetchall()
            results[one["refId"]] = {"frames": [len(rows)]}
        except sqlite3.Error as error:
            results[one["refId"]] = {"error": str(error)}
    connection.close()
    return {"results": results}


class Handler(BaseHTTPRequestHandler):
    def answer(self, document):
        data = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/api/health":
            return self.answer({"database": "ok"})
        if self.headers["Authorization"] != f"Basic {LOGIN}":
            return self.answer({"message": "Unauthorized"})
        if self.path.endswith("/health"):
            return self.answer({"status": "OK" if SOURCE["uid"] in self.path else "ERROR"})
        folder = pathlib.Path(PROVIDER["options"]["path"])
        uids = [json.loads(one.read_text())["uid"] for one in folder.glob("*.json")]
        there = self.path.rpartition("/")[2] in uids
        return self.answer({"dashboard": {}} if there else {"message": "Dashboard not found"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        good = self.headers["Authorization"] == f"Basic {LOGIN}"
        self.answer(query(body) if good else {"message": "Unauthorized"})


ThreadingHTTPServer(("", 3000), Handler).serve_forever()
