"""What the export of traces and metrics over OTLP costs at a sampling of 0.1: CPU per request without and with it.

Two servers have their own database and Redis prefix, and their rounds alternate, so that the state of the machine affects
both. The collector is a process of its own, whose CPU time does not count."""

import contextlib
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from apps import print_result
from load import h2load, measured, wrk
from server import Server, call, free_port, wait_for_port

# Even, because the server that begins a round alternates.
ROUNDS = 4
COMPARED = ("introspect", "account")
# Spans wait this long for a full batch, in milliseconds.
SCHEDULE_DELAY = 1000
STAND_IN = Path(__file__).with_name("collector.py")


@contextlib.contextmanager
def collector():
    """Starts a collector; yields its URL."""
    port = free_port()
    process = subprocess.Popen([sys.executable, STAND_IN, str(port)])
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def export_to(url):
    return {
        "ENABLE_OTEL": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.1",
        "OTEL_BSP_SCHEDULE_DELAY": str(SCHEDULE_DELAY),
    }


def dropped_spans(server):
    """Spans that the server did not export, by the reason."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.admin}/metrics") as response:
        text = response.read().decode()
    found = re.findall(r'^openapi_otlp_spans_dropped_total\{.*?reason="(\w+)".*?\} (\d+)$', text, re.MULTILINE)
    return {reason: int(count) for reason, count in found}


def cpu(name, server, send):
    """CPU in microseconds per request, with the export of the last spans."""

    def drive():
        done = send()
        time.sleep(1.5 * SCHEDULE_DELAY / 1e3)
        return done

    row = measured(name, server.process.pid, drive)
    assert row.requests and not row.errors, f"{name}: {row.errors} errors of {row.requests} requests"
    return row.cpu


def compare_row(name, servers, sends):
    """Prints the medians of both servers, and the median of the ratios of the rounds."""
    rounds = []
    for number in range(ROUNDS):
        spent = [0.0, 0.0]
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            spent[side] = cpu(name, servers[side], sends[side])
        rounds.append(spent)
    off, on = (statistics.median(side) for side in zip(*rounds))
    ratios = sorted(with_export / without for without, with_export in rounds)
    print_result(
        f"{name}: CPU with OTLP ÷ without",
        f"{statistics.median(ratios):.3f} ×",
        f"at most 1.05 ×; {off:.1f} and {on:.1f} µs, rounds {ratios[0]:.3f} to {ratios[-1]:.3f} ×",
    )
    sys.stdout.flush()


def compare(servers, url, loads, seconds):
    """The first of the servers exports nothing."""
    servers[1].restart(**export_to(url))
    for pair in zip(*(loads(server, seconds) for server in servers)):
        name = pair[0][0]
        if name not in COMPARED:
            continue
        json_sends = [
            lambda address=address, script=script: wrk(address, seconds, script) for _, address, script, *_ in pair
        ]
        grpc_sends = [
            lambda address=address, frame=frame, headers=headers: h2load(address, seconds, frame, headers)
            for _, _, _, address, frame, headers, _ in pair
        ]
        compare_row(f"{name} JSON", servers, json_sends)
        compare_row(f"{name} gRPC", servers, grpc_sends)
    # The cost would be lower if spans were lost.
    print(f"  spans that were not exported: {dropped_spans(servers[1])}")


def telemetry_rows(loads, seconds):
    """`loads` lists the requests to a server."""
    for stores in ("sqlite+memory", "postgres+redis"):
        print(f"\n{stores}, sampling 0.1")
        servers = Server(stores, "silent"), Server(stores, "exporting")
        try:
            with collector() as url:
                compare(servers, url, loads, seconds)
                received = call("GET", f"{url}/received")[1]
        finally:
            for server in servers:
                server.stop()
        assert received["traces"], "the collector got no spans"
        print(f"  the collector got {received['traces'] / 1e6:.2f} MB of traces")
