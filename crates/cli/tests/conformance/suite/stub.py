"""A server that answers every request with one answer, for errors that the embedded Fleet has no reason to give."""

import contextlib
import http.server
import json
import threading


@contextlib.contextmanager
def answering(status, body, held=None):
    """The base URL of a server whose every answer is this one. With `held` it comes only once that event is set."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            if held is not None:
                held.wait(30)
            text = body if isinstance(body, str) else json.dumps(body)
            with contextlib.suppress(OSError):  # whoever asked may have gone
                self.send_response(status)
                self.send_header("content-type", "text/plain" if isinstance(body, str) else "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, *_):
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        if held is not None:
            held.set()
        server.shutdown()
        thread.join()
        server.server_close()
