#!/usr/bin/env python3
"""A server of models for tests: speaks OpenAI's chat completions (and Azure's form of
them), Anthropic's messages and Gemini's generateContent, whole and as streams, with
scripted replies and faults on demand. See README.md for the script and the faults.

    models.py [--port N] [--key KEY] [--tls CERT KEY] [--port-file FILE] SCRIPT.json
"""
import argparse
import email.utils
import json
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from speak import frame, protocol_of  # noqa: E402

COUNTS = ("input", "cached_input", "cache_write", "output", "reasoning")


class Script:
    """The entries, how often each was used, and what was seen."""

    def __init__(self, document, folder):
        self.lock = threading.Lock()
        self.load(document, folder)

    def load(self, document, folder):
        entries = document["replies"] if isinstance(document, dict) else document
        with self.lock:
            self.entries, self.folder = entries, folder
            self.used = [0] * len(entries)
            self.faults = [0] * len(entries)
            self.seen = []

    def choose(self, prompt):
        """The first entry that fits and is not used up, and the fault that is due. An
        attempt that ends in a fault uses up the fault, not the entry."""
        with self.lock:
            for i, entry in enumerate(self.entries):
                match = entry.get("match")
                times = entry.get("times", -1 if match is not None else 1)
                if times >= 0 and self.used[i] >= times:
                    continue
                if match is not None and not re.search(match, prompt, re.S):
                    continue
                fault = entry.get("fault")
                if fault and 0 <= fault.get("times", 1) <= self.faults[i]:
                    fault = None
                if fault:
                    self.faults[i] += 1
                if not fault or fault.get("uses_up"):
                    self.used[i] += 1
                return i, entry, fault
        return None, None, None

    def text(self, entry):
        if "reply_file" in entry:
            with open(os.path.join(self.folder, entry["reply_file"]), encoding="utf-8") as f:
                return f.read()
        reply = entry.get("reply", "")
        return "\n".join(reply) if isinstance(reply, list) else reply

    def report(self, bodies):
        with self.lock:
            seen = [s if bodies else {k: v for k, v in s.items() if k not in ("body", "prompt")} for s in self.seen]
        totals = {name: sum((s["told"] or {}).get(name, 0) for s in seen) for name in COUNTS}
        return {"requests": seen, "totals": dict(totals, requests=len(seen))}


def counted(entry, prompt, text, reasoning):
    """Tokens are words, unless the entry says otherwise."""
    thought = len(reasoning.split())
    counts = {"input": len(prompt.split()), "cached_input": 0, "cache_write": 0,
              "output": len(text.split()) + thought, "reasoning": thought}
    counts.update(entry.get("usage") or {})
    return counts


def later(seconds):
    return datetime.now(timezone.utc) + timedelta(seconds=seconds)


def hint_headers(fault):
    """Each way to say when to come back, from a number of seconds."""
    made = {}
    if "retry_after" in fault:
        made["Retry-After"] = str(fault["retry_after"])
    if "retry_after_ms" in fault:
        made["retry-after-ms"] = str(fault["retry_after_ms"])
    if "retry_date" in fault:
        made["Retry-After"] = email.utils.format_datetime(later(fault["retry_date"]), usegmt=True)
    if "reset" in fault:  # "1m30s", "12ms", "0.5"
        made["x-ratelimit-remaining-tokens"] = "0"
        made["x-ratelimit-reset-tokens"] = str(fault["reset"])
    if "reset_rfc3339" in fault:
        made["anthropic-ratelimit-tokens-remaining"] = "0"
        made["anthropic-ratelimit-tokens-reset"] = later(fault["reset_rfc3339"]).isoformat()
    made.update(fault.get("headers") or {})
    return made


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script = None
    key = None

    def log_message(self, *args):
        pass

    # ---- sending ----

    def send_document(self, status, document, headers=None, kind="application/json"):
        raw = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def begin_stream(self, kind="text/event-stream", headers=None):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def send_chunk(self, raw):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))

    def end_stream(self):
        self.wfile.write(b"0\r\n\r\n")

    def reset(self):
        """RST instead of an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    # ---- requests ----

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/seen":
            self.send_document(200, self.script.report("bodies=0" not in self.path))
        elif path == "/elsewhere":
            self.send_document(200, {"redirected": True})
        else:
            self.send_document(404, {"error": {"message": "not found"}})

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/script":
            self.script.load(json.loads(raw), self.script.folder)
            self.send_document(200, {})
            return
        kind = protocol_of(self.path)
        if not kind:
            self.send_document(404, {"error": {"message": f"no such path: {self.path}"}})
            return
        try:
            self.answer(kind(self.path, json.loads(raw)), json.loads(raw))
        except (KeyError, TypeError, AssertionError, ValueError) as e:
            self.send_document(400, kind.error(400, "invalid_request_error", f"the request is invalid: {e!r}"))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, spoken, body):
        prompt = "\n\n".join(text for _, text in spoken.messages)
        key = spoken.key(self.headers)
        seen = {"protocol": spoken.name, "stream": spoken.stream, "path": self.path, "model": spoken.model,
                "headers": sorted(n.lower() for n in self.headers), "authorized": key is not None and key == self.key,
                "entry": None, "fault": None, "told": None, "prompt": prompt, "body": body}
        with self.script.lock:
            self.script.seen.append(seen)
            number = len(self.script.seen)
        if self.key and key != self.key:
            self.send_document(401, spoken.error(401, "authentication_error", f"Incorrect API key provided: {key}"))
            return
        index, entry, fault = self.script.choose(prompt)
        if entry is None:
            message = "the script has no reply for this prompt"
            self.send_document(400, spoken.error(400, "invalid_request_error", message))
            return
        seen.update(entry=index, fault=fault and fault["kind"])
        text, reasoning = self.script.text(entry), entry.get("reasoning", "")
        told = counted(entry, prompt, text, reasoning)
        a = {"id": f"call-{number}", "model": entry.get("model"), "text": text, "reasoning": reasoning,
             "stop": entry.get("stop", "end"), "usage": spoken.usage(told)}
        if spoken.name == "anthropic":
            told["reasoning"] = 0  # not told apart
        self.play(spoken, a, fault or {"kind": "none"}, told, seen, key)

    def play(self, spoken, a, fault, told, seen, key):
        kind = fault["kind"]
        if kind in ("no_usage", "bad_usage"):
            a["usage"] = None if kind == "no_usage" else fault.get("usage", {"prompt_tokens": -5, "x": "many"})
            told = None
        elif kind == "empty":
            a["text"] = ""
        elif kind == "echo_key":
            a["text"] += f" The key is {key}, I am told."
        elif kind == "huge":
            a["text"] = "x" * fault.get("bytes", 64 << 20)
        handler = getattr(self, f"fault_{kind}", None)
        if handler:
            handler(spoken, a, fault, told, seen)
            return
        if kind not in ("none", "no_usage", "bad_usage", "empty", "echo_key", "huge", "slow", "whole"):
            raise ValueError(f"unknown fault {kind}")
        # Before the last byte leaves: who has read the answer may ask at once.
        seen["told"] = told
        try:
            if spoken.stream and kind != "whole":
                self.stream(spoken, a, fault)
            else:
                self.send_document(200, spoken.whole(a))
        except (BrokenPipeError, ConnectionResetError):
            seen["told"] = None
            raise

    def stream(self, spoken, a, fault):
        self.begin_stream()
        delay = fault.get("delay_ms", 0) / 1000 if fault["kind"] == "slow" else 0
        for event in spoken.events(a):
            if delay:  # cut in odd places as well
                self.send_chunk(event[:7])
                self.wfile.flush()
                time.sleep(delay)
                event = event[7:]
            self.send_chunk(event)
        self.end_stream()

    # ---- faults ----

    def fault_status(self, spoken, a, fault, told, seen):
        status = fault["status"]
        document = spoken.error(status, fault.get("type"), fault.get("message", f"a scripted {status}"))
        if "retry_delay" in fault:
            document["error"]["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo",
                                             "retryDelay": fault["retry_delay"]}]
        if "body" in fault:
            self.send_document(status, fault["body"].encode(), hint_headers(fault), "text/html")
        else:
            self.send_document(status, document, hint_headers(fault))

    def fault_reset(self, spoken, a, fault, told, seen):
        self.reset()

    def some_events(self, spoken, a, fault):
        events = list(spoken.events(a))
        count = min(fault.get("events", len(events) // 2), len(events) - 2)
        self.begin_stream()
        for event in events[:count]:
            self.send_chunk(event)
        self.wfile.flush()
        return spoken.told_before_end

    def broken(self, spoken, a, fault, told, seen):
        """Half of the answer."""
        if spoken.stream:
            seen["told"] = self.some_events(spoken, a, fault)(told)
            return
        raw = json.dumps(spoken.whole(a)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw[:len(raw) // 2])
        self.wfile.flush()

    def fault_truncate(self, spoken, a, fault, told, seen):
        """The stream ends in good order, before its answer; a document is cut off."""
        self.broken(spoken, a, fault, told, seen)
        if spoken.stream:
            self.end_stream()
        self.close_connection = True

    def fault_cut(self, spoken, a, fault, told, seen):
        """The connection is reset in the middle of the answer."""
        self.broken(spoken, a, fault, told, seen)
        time.sleep(0.05)
        self.reset()

    def fault_stream_error(self, spoken, a, fault, told, seen):
        status = fault.get("status", 529)
        kind = fault.get("type", "overloaded_error")
        message = fault.get("message", "a scripted error")
        if not spoken.stream:
            self.send_document(200, spoken.error(status, kind, message))
            return
        seen["told"] = self.some_events(spoken, a, fault)(told)
        self.send_chunk(spoken.error_event(status, kind, message))
        self.end_stream()

    def fault_malformed(self, spoken, a, fault, told, seen):
        if spoken.stream:
            self.begin_stream()
            self.send_chunk(frame('{"choices": [}'))
            self.send_chunk(frame("{}"))
            self.end_stream()
        else:
            self.send_document(200, b'{"choices": [}')

    def fault_content_type(self, spoken, a, fault, told, seen):
        body = fault.get("body", "<html><title>Log in to the network</title></html>")
        self.send_document(200, body.encode(), kind=fault.get("type", "text/html"))

    def fault_redirect(self, spoken, a, fault, told, seen):
        self.send_document(fault.get("status", 307), b"", {"Location": fault.get("to", "/elsewhere")})

    def fault_echo_key_error(self, spoken, a, fault, told, seen):
        status = fault.get("status", 400)
        key = spoken.key(self.headers)
        self.send_document(status, spoken.error(status, "invalid_request_error",
                                                "x" * fault.get("padding", 0) + f" your key {key} is odd"))

    def fault_blocked(self, spoken, a, fault, told, seen):
        """Gemini blocks a prompt; Azure refuses it with a status; others refuse."""
        if spoken.name == "gemini":
            document = spoken.blocked(a)
            seen["told"] = dict(told, output=0, reasoning=0, cached_input=0)
            if spoken.stream:
                self.begin_stream()
                self.send_chunk(frame(document))
                self.end_stream()
            else:
                self.send_document(200, document)
        elif spoken.name == "openai":
            self.send_document(400, {"error": {"code": "content_filter", "message": "The prompt was filtered"}})
        else:
            seen["told"] = told
            a["stop"] = "refused"
            self.stream(spoken, a, fault) if spoken.stream else self.send_document(200, spoken.whole(a))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--port-file", help="write the port there as well, once it is listening")
    options.add_argument("--key", help="refuse requests that do not have this key")
    options.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    options.add_argument("script", help="a JSON file; - for none yet (POST /script)")
    given = options.parse_args()
    document, folder = [], os.getcwd()
    if given.script != "-":
        folder = os.path.dirname(os.path.abspath(given.script))
        with open(given.script, encoding="utf-8") as f:
            document = json.load(f)
    Handler.script = Script(document, folder)
    Handler.key = given.key
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    server.daemon_threads = True
    if given.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*given.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    print(port, flush=True)
    if given.port_file:
        with open(given.port_file + ".new", "w", encoding="ascii") as f:
            f.write(f"{port}\n")
        os.replace(given.port_file + ".new", given.port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
