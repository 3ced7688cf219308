"""The endpoints that both engines call: a model behind OpenAI's chat completions API, and an HTTP server that echoes requests.

Every answer depends on the request alone. Prints its port on the first line of standard output and runs until its standard
input is closed.

Marks in a prompt decide what the model answers: `REPLY<<text>>` the text, `STATUS<<503>>` an HTTP error, `FINISH<<length>>` the
reason for its end, `PARAMETERS<<>>` the parameters of the request. Without a mark it describes the messages it received.
"""

import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

PARAMETERS = ("temperature", "top_p", "max_tokens", "presence_penalty", "frequency_penalty", "seed", "stop")
PIECE = 7
# Each client sends its own values of these.
HIDDEN_HEADERS = {"accept", "accept-encoding", "connection", "content-length", "transfer-encoding", "user-agent"}
BODIES = {
    "/text/utf-8": ("text/plain; charset=utf-8", "Grüße 中文 🦜".encode()),
    "/text/gbk": ("text/html; charset=gbk", "中文".encode("gbk")),
    "/text/latin-1": ("text/plain; charset=iso-8859-1", "Grüße".encode("latin-1")),
    "/text/none": ("", "plain words".encode()),
    "/json/object": ("application/json", b'{"name": "Ada", "tags": ["a", "b"], "age": 36}'),
    "/json/list": ("application/json", b"[1, 2.5, null, true]"),
    "/empty": ("text/plain", b""),
}


def mark(name, text):
    found = re.search(name + r"<<(.*?)>>", text, re.DOTALL)
    return None if found is None else found.group(1)


def reply(body, text):
    exact = mark("REPLY", text)
    if exact is not None:
        return exact
    if mark("PARAMETERS", text) is not None:
        return json.dumps({name: body[name] for name in PARAMETERS if body.get(name) not in (None, [], "")}, sort_keys=True)
    messages = body["messages"]
    roles = ",".join(message["role"] for message in messages)
    last = messages[-1]["content"]
    return f"{len(messages)} messages ({roles}), {len(text)} characters, the last: {last[:80]}"


def parts(body, boundary):
    """The headers and contents of a form of several parts. graphon adds an empty file to each, so that there is a part."""
    found = body.decode("utf-8", "replace").split(f"--{boundary}")[1:-1]
    return [part.strip("\r\n").split("\r\n\r\n") for part in found if "__multipart_placeholder__" not in part]


def words(text):
    return len(text.split())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    delay = 0.0

    def log_message(self, *_):
        pass

    def respond(self, status, content_type, body, headers=()):
        self.send_response_only(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        url = urlsplit(self.path)
        if url.path == "/v1/chat/completions":
            return self.complete(json.loads(body))
        if url.path in BODIES:
            return self.respond(200, *BODIES[url.path])
        if url.path.startswith("/status/"):
            return self.respond(int(url.path.rsplit("/", 1)[1]), "text/plain", b"as you asked")
        if url.path == "/redirect":
            return self.respond(302, "text/plain", b"", [("Location", "/text/utf-8")])
        headers = sorted((name.lower(), value) for name, value in self.headers.items() if name.lower() not in HIDDEN_HEADERS)
        kind, _, boundary = (self.headers.get("Content-Type") or "").partition("; boundary=")
        if boundary:
            headers = [(name, kind if name == "content-type" else value) for name, value in headers]
        echo = {
            "method": self.command,
            "path": url.path,
            "query": parse_qsl(url.query, keep_blank_values=True),
            "headers": headers,
            "body": parts(body, boundary) if boundary else body.decode("utf-8", "replace"),
        }
        return self.respond(200, "application/json", json.dumps(echo, ensure_ascii=False).encode())

    def complete(self, body):
        text = "\n".join(message["content"] for message in body["messages"])
        status = mark("STATUS", text)
        if status is not None:
            error = {"error": {"message": "the model is not available", "type": "server_error"}}
            return self.respond(int(status), "application/json", json.dumps(error).encode())
        if self.delay:
            time.sleep(self.delay)
        answer = reply(body, text)
        usage = {"prompt_tokens": words(text), "completion_tokens": words(answer)}
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
        pieces = [answer[at : at + PIECE] for at in range(0, len(answer), PIECE)]
        events = [{"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]} for piece in pieces]
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": mark("FINISH", text) or "stop"}]})
        events.append({"choices": [], "usage": usage})
        lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        return self.respond(200, "text/event-stream", lines.encode())

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def main():
    Handler.delay = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
