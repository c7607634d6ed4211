"""An app that answers every request with what it was asked, so that a client can see what of it arrived.

`/write` writes a file into the folder of the instance, which is where an app starts; `/status/N` answers with that status.
"""

import json
import pathlib
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, NAME = int(sys.argv[1]), sys.argv[2]


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if self.path == "/write":
            file = json.loads(body)
            path = pathlib.Path(file["path"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes.fromhex(file["hex"]))
        status = int(self.path.rsplit("/", 1)[1]) if "/status/" in self.path else 200
        asked = {"app": NAME, "method": self.command, "path": self.path, "body": body,
                 "type": self.headers.get("content-type"), "mark": self.headers.get("x-mark"), "cookie": self.headers.get("cookie")}
        text = json.dumps(asked).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.send_header("x-method", self.command)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

    def log_message(self, *_):
        """Nothing: the log of an instance is for what went wrong."""


ThreadingHTTPServer(("127.0.0.1", PORT), App).serve_forever()
