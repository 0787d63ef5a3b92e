#!/usr/bin/env python3
"""What a container of the tests runs: it answers with what it was asked, and does what paths say."""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen, tries, kept = [], {}, []
fails = int(os.environ.get("FAILS", "0"))


class Busy:
    """How many requests are under way."""

    def __init__(self):
        self.lock, self.requests = threading.Lock(), 0

    def __enter__(self):
        self.lock.acquire()

    def __exit__(self, *_):
        self.lock.release()


busy = Busy()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_one_request(self):
        # Counted from its first line on: an idle connection is no request.
        self.counted = False
        super().handle_one_request()
        if self.counted:
            with busy:
                busy.requests -= 1

    def parse_request(self):
        with busy:
            busy.requests += 1
        self.counted = True
        return super().parse_request()

    def told(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        return {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body.hex(),
            "pid": os.getpid(),
        }

    def do_GET(self):
        told = self.told()
        what, _, value = self.path.lstrip("/").partition("/")
        if what == "env":
            return self.answer(200, dict(os.environ))
        if what == "arguments":
            return self.answer(200, sys.argv[1:])
        if what == "seen":
            return self.answer(200, seen)
        if what == "sleep":
            print("sleeps " + value, flush=True)
            time.sleep(float(value))
        if what == "exit":
            os._exit(int(value))
        if what == "memory":
            kept.append(bytearray(os.urandom(1 << 20) * int(value)))
        if what == "log":
            print(json.dumps({"severity": "NOTICE", "message": value, "place": "container"}), flush=True)
            print("plain " + value, file=sys.stderr, flush=True)
        if what == "chunks":
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for text in (b"first", b"last"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                self.wfile.flush()
                time.sleep(float(value))
            return self.wfile.write(b"0\r\n\r\n")
        self.answer(200, told)

    def do_POST(self):
        told = self.told()
        seen.append(told)
        key = told["headers"].get("ce-id")
        if key is None and told["headers"].get("from") == "noreply@google.com":
            key = json.loads(bytes.fromhex(told["body"]))["message"]["messageId"]
        tries[key] = tries.get(key, 0) + 1
        if tries[key] <= fails:
            return self.answer(500, {})
        self.answer(200, told)

    def log_message(self, *_):
        pass


if "ENDS" in os.environ:
    sys.exit(int(os.environ["ENDS"]))
if "SILENT" in os.environ:
    time.sleep(60)
time.sleep(float(os.environ.get("STARTS", "0")))
server = ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler)
server.daemon_threads = True


def end(*_):
    print("told to end", flush=True)
    if "STAYS" not in os.environ:
        threading.Thread(target=server.shutdown).start()


signal.signal(signal.SIGTERM, end)
server.serve_forever()
while busy.requests:
    time.sleep(0.01)
print("ended in order", flush=True)
