"""1,000 followers of 100 long runs: how much the memory of the server grows. Each run retries a refused request for most of
a minute, because a process has 64 requests of runs under way at most; ten connections follow each run.

    benches/run --only followers
    BENCH_WORK=$(mktemp -d) python3 benches/followers.py target/debug/dify-openapi     alone, on SQLite

The first one measures the build of a release. The second one needs no other server.
"""

import json
import re
import socket
import sys
from pathlib import Path

from server import Server, call, rss

RUNS, FOLLOWERS = 100, 10
# Connections of one address are limited, so that runs and followers come from several.
ADDRESSES = [f"127.0.0.{number}" for number in range(2, 12)]
TARGET = 150


def waiting_dsl():
    """A workflow whose request is refused and retried."""
    node = lambda id, kind, **data: {"id": id, "data": {"type": kind, "title": id, **data}}
    request = {"method": "get", "url": "http://127.0.0.1:9/", "authorization": {"type": "no-auth"}, "headers": "", "params": ""}
    retry = {"retry_enabled": True, "max_retries": 10, "retry_interval": 5000}
    nodes = [
        node("start", "start", variables=[]),
        node("call", "http-request", **request, body={"type": "none", "data": []}, retry_config=retry),
        node("end", "end", outputs=[{"variable": "text", "value_selector": ["call", "body"]}]),
    ]
    edges = [
        {"id": f"e{index}", "source": a["id"], "target": b["id"], "sourceHandle": "source", "targetHandle": "target"}
        for index, (a, b) in enumerate(zip(nodes, nodes[1:]))
    ]
    empty = {"features": {}, "environment_variables": [], "conversation_variables": []}
    workflow = {"graph": {"nodes": nodes, "edges": edges}, **empty}
    return {"version": "0.3.0", "kind": "app", "app": {"name": "Waiting", "mode": "workflow"}, "workflow": workflow}


class Stream:
    """A response that is read over a socket of its own, at most as far as it was sent."""

    def __init__(self, server, number, verb, path, body=None):
        data = json.dumps(body).encode() if body is not None else b""
        head = (
            f"{verb} {path} HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\nauthorization: Bearer {server.token}\r\n"
            f"accept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        )
        source = (ADDRESSES[number % len(ADDRESSES)], 0)
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=120, source_address=source)
        self.socket.sendall(head.encode() + data)
        self.received = b""

    def read_until(self, text):
        while text not in self.received:
            piece = self.socket.recv(65_536)
            if not piece:
                sys.exit(f"a stream ended early: {self.received[-500:]!r}")
            self.received += piece


def followers(server, label):
    """Prints the row."""
    server.restart(HTTP_REQUEST_ALLOWED_NETWORKS="127.0.0.0/8")
    # Every JSON text is YAML.
    dsl = json.dumps(waiting_dsl())
    server.command("app", "import", "-", "--workspace", "Bench Workspace", stdin=dsl)
    workspace = call("GET", f"{server.url}/openapi/v1/workspaces", headers=bearer(server))[1]["workspaces"][0]["id"]
    listed = call("GET", f"{server.url}/openapi/v1/apps?workspace_id={workspace}&name=Waiting", headers=bearer(server))[1]
    app = listed["data"][0]["id"]
    pid = server.process.pid
    idle = rss(pid)
    runs = []
    for number in range(RUNS):
        body = {"inputs": {}, "response_mode": "streaming"}
        run = Stream(server, number, "POST", f"/openapi/v1/apps/{app}/run", body)
        run.read_until(b"workflow_run_id")
        run.id = re.search(rb'"workflow_run_id":\s*"([0-9a-f-]{36})"', run.received)[1].decode()
        runs.append(run)
    for run in runs:
        run.read_until(b'"node_type":"http-request"')
    running = rss(pid)
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    following = []
    for number in range(RUNS * FOLLOWERS):
        path = f"/openapi/v1/apps/{app}/tasks/{runs[number % RUNS].id}/events?include_state_snapshot=true"
        following.append(Stream(server, number, "GET", path))
    for stream in following:
        stream.read_until(b"node_started")
    followed = rss(pid)
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024
    print(
        f"{RUNS * FOLLOWERS} followers of {RUNS} runs, {label}: {idle:.0f} MB idle, {running:.0f} MB with the runs, "
        f"{followed:.0f} MB with the followers, {peak:.0f} MB at most; {(peak - running) / len(following) * 1024:.0f} KB each "
        f"(target: less than {TARGET} MB)"
    )


def bearer(server):
    return {"authorization": f"Bearer {server.token}"}


if __name__ == "__main__":
    alone = Server("sqlite", binary=sys.argv[1])
    try:
        followers(alone, "SQLite")
    finally:
        alone.stop()
