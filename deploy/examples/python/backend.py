#!/usr/bin/env python3
"""A backend of an application, asked over HTTP: who may connect, subscribe, publish and call, and what happens then.

    python3 backend.py [PORT]                    and in another terminal    gyre -c ../backend-http.json

It needs nothing but Python. Each event is a POST of JSON to a path of its own; the answer has `result`, `error` or
`disconnect`. What all fields mean is in docs/events.md.
"""

import hashlib
import hmac
import json
import os
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TTL_SECONDS = int(os.environ.get("TTL_SECONDS", "300"))  # connections and subscriptions are asked about again then
SIGNATURE_KEY = os.environ.get("SIGNATURE_KEY", "")  # option http.signature_key; empty: requests are not signed
API, API_KEY = os.environ.get("GYRE_API", "http://127.0.0.1:8000/api"), os.environ.get("GYRE_API_KEY", "dev")


def later():
    return int(time.time()) + TTL_SECONDS


def refuse(code, message):
    return {"error": {"code": code, "message": message}}


def connect(event):
    """Without a token a client says who it is in `data`. A real application looks at a cookie or a header."""
    user = (event.get("data") or {}).get("user", "")
    if not user:
        return {"disconnect": {"code": 4501, "reason": "unauthorized"}}
    return {"result": {
        "user": user, "expire_at": later(), "info": {"name": user.title()}, "data": {"hello": user},
        "meta": {"plan": "free"}, "channels": ["news"],
    }}


def refresh(event):
    return {"result": {"expired": True} if event["user"] == "mallory" else {"expire_at": later()}}


def subscribe(event):
    if event["user"] == "mallory":
        return refuse(403, "not for you")
    return {"result": {"expire_at": later(), "info": {"plan": event["meta"]["plan"]}, "data": {"welcome": event["channel"]}}}


def sub_refresh(event):
    return {"result": {"expire_at": later()}}


def publish(event):
    text = event["data"].get("text", "")
    if not text:
        return refuse(400, "a message has a text")
    return {"result": {"data": {"text": text, "from": event["user"]}, "tags": {"user": event["user"]}}}


def rpc(event):
    if event["method"] == "add":
        return {"result": {"data": {"sum": sum(event["data"])}}}
    return refuse(404, "no such method")


def cache_empty(event):
    """A channel's newest publication is not there: publish it, and say so."""
    body = json.dumps({"channel": event["channel"], "data": {"score": 0}}).encode()
    request = urllib.request.Request(API + "/publish", body, {"X-API-Key": API_KEY})
    with urllib.request.urlopen(request, timeout=1) as answer:
        return {"result": {"populated": "result" in json.load(answer)}}


def state(event):
    """Channels come into use and fall out of it. An event may come twice; its generation tells."""
    for change in event["events"]:
        print(change["type"], change["channel"], change["generation"], flush=True)
    return {"result": {}}


EVENTS = {f"/{event.__name__}": event
          for event in (connect, refresh, subscribe, sub_refresh, publish, rpc, cache_empty, state)}


def is_ours(headers, body):
    """Whether a request was made by our gateway, and not long ago."""
    timestamp, event = headers.get("X-Gyre-Timestamp", "0"), headers.get("X-Gyre-Event", "")
    signed = f"{timestamp}.{event}.".encode() + body
    expected = "v1=" + hmac.new(SIGNATURE_KEY.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, headers.get("X-Gyre-Signature", "")) and abs(time.time() - int(timestamp)) < 300


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        event = EVENTS.get(self.path)
        if event is None:
            return self.answer(404, {})
        if SIGNATURE_KEY and not is_ours(self.headers, body):
            return self.answer(401, {})
        self.answer(200, event(json.loads(body)))

    def answer(self, status, message):
        body = json.dumps(message).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing about requests that were answered."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 3000), Handler)
    print(f"asked on http://{server.server_address[0]}:{server.server_address[1]}", flush=True)
    server.serve_forever()
