#!/usr/bin/env python3
"""A custom handler for the tests of the host: it prints each request, and does what the trigger's value says."""

import http.server
import json
import os
import signal
import sys
import time

EXITED = "exited-once"
FAILED = "failed-once"


def read(handler):
    """A body with a length, or in chunks."""
    if handler.headers.get("Transfer-Encoding", "").lower() == "chunked":
        whole = b""
        while True:
            size = int(handler.rfile.readline().split(b";")[0], 16)
            chunk = handler.rfile.read(size)
            handler.rfile.readline()
            if size == 0:
                return whole
            whole += chunk
    return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        body = read(self)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if "x-azure-functions-invocationid" not in headers:
            self.answer(404, b"")  # The host asks whether somebody listens.
            return
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": headers,
            "body": body.decode("utf-8", "replace"),
        }
        sys.stdout.write("REQUEST " + json.dumps(seen) + "\n")
        sys.stdout.flush()
        self.obey(seen["body"], headers)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = serve

    def obey(self, text, headers):
        if "do-fail-once" in text and not os.path.exists(FAILED):
            open(FAILED, "w").close()
            self.answer(500, b"")
        elif "do-fail-always" in text:
            self.answer(500, b"")
        elif "do-exit-once" in text and not os.path.exists(EXITED):
            open(EXITED, "w").close()
            os._exit(3)
        elif "do-leave" in text:
            os._exit(0)
        elif "do-sleep" in text:
            time.sleep(60)
        elif "do-text" in text:
            self.answer(200, b"done", "text/plain")
        elif "do-list" in text:
            self.answer(200, b"[]")
        elif headers.get("x-forwarded-test"):
            self.answer(201, b"\xff\x00raw", "application/octet-stream", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        else:
            reply = {"Outputs": {"res": {"statusCode": "202", "headers": {"x-own": "1"}, "body": "hello"}}, "Logs": ["a log line"]}
            self.answer(200, json.dumps(reply).encode())

    def answer(self, status, body, kind="application/json", more=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def ended(*_):
    print("TERMINATED", flush=True)
    os._exit(0)


signal.signal(signal.SIGTERM, ended)
kept = {name: value for name, value in os.environ.items() if name.startswith(("APP_", "FUNCTIONS_", "WEBSITE_", "AzureWebJobs"))}
print("STARTED " + json.dumps({"environment": kept, "folder": os.getcwd(), "arguments": sys.argv[1:]}), flush=True)
port = int(os.environ["FUNCTIONS_CUSTOMHANDLER_PORT"])
http.server.ThreadingHTTPServer.daemon_threads = True
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
