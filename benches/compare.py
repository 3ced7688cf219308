"""Compares this build with another binary of the service, such as the last release: `benches/run --against`.

Both serve their own database and Redis prefix. Their rounds alternate, so that the state of the machine affects both.
"""

import statistics

import apps
from load import h2load, measured, wrk
from server import WORK, call

ROUNDS = 3
COMPARED = ("_health", "account", "workspaces")


def report(what, other, this, unit):
    """Prints the medians of both and their ratio."""
    before, after = statistics.median(other), statistics.median(this)
    print(f"{what:34}{before:12.2f}{after:12.2f} {unit:4}{after / before:8.2f}")


def compare(other, this, loads, seconds):
    """`other` and `this` are servers on the same kind of stores; `loads` lists the requests to one of them."""
    print(f"\n{this.stores}\n{'':34}{'other':>12}{'this':>12}{'':5}{'ratio':>8}")
    for pair in zip(*(loads(server, seconds) for server in (other, this))):
        name = pair[0][0]
        if name not in COMPARED:
            continue
        cpu = {"JSON": ([], []), "gRPC": ([], [])}
        for _ in range(ROUNDS):
            for side, (server, load) in enumerate(zip((other, this), pair)):
                _, url, script, grpc_url, frame, headers, _ = load
                pid = server.process.pid
                over_json = measured(name, pid, lambda: wrk(url, seconds, script))
                over_grpc = measured(name, pid, lambda: h2load(grpc_url, seconds, frame, headers))
                cpu["JSON"][side].append(over_json.cpu)
                cpu["gRPC"][side].append(over_grpc.cpu)
        for door, (before, after) in cpu.items():
            report(f"{name} {door}: CPU per request", before, after, "µs")
    first_byte(other, this, seconds)


def first_byte(other, this, seconds):
    """The time to the first event of a streamed run."""
    chat = '{"inputs":{},"query":"Hello","response_mode":"streaming"}'
    urls = []
    for server in (other, this):
        bench = apps.Apps(server, call, WORK)
        urls.append(bench.run_url(bench.echo))
    found = ([], [])
    for _ in range(ROUNDS):
        for side, (server, url) in enumerate(zip((other, this), urls)):
            found[side].append(apps.streams("first-byte", url, server.token, chat, 1, seconds)["p50"])
    report("first event of a run: p50", *found, "ms")
