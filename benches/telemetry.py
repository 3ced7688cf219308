"""What the export of traces and metrics over OTLP costs at a sampling of 0.1: CPU and instructions per request without and
with it.

Two servers have their own database and Redis prefix, and their rounds alternate, so that the state of the machine affects
both. Then they change roles: two equal servers differ by up to a tenth, and the mean of both roles is free of it. The
collector is a process of its own, whose CPU time does not count."""

import collections
import contextlib
import itertools
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from apps import print_result
from instructions import per_request
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


def rounds_of(name, servers, sends):
    """CPU in microseconds per request without and with the export, for each round. The second of the servers exports."""
    rounds = []
    for number in range(ROUNDS):
        spent = [0.0, 0.0]
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            spent[side] = cpu(name, servers[side], sends[side])
        rounds.append(spent)
    return rounds


def print_row(name, by_role):
    """Prints the mean of the ratios of both roles."""
    off, on = (statistics.median(side) for side in zip(*itertools.chain(*by_role)))
    ratios = [statistics.median(with_export / without for without, with_export in rounds) for rounds in by_role]
    print_result(
        f"{name}: CPU with OTLP ÷ without",
        f"{statistics.geometric_mean(ratios):.3f} ×",
        f"at most 1.05 ×; {off:.1f} and {on:.1f} µs, by role {ratios[0]:.3f} and {ratios[1]:.3f} ×",
    )
    sys.stdout.flush()


def compare(servers, url, loads, seconds):
    rows = collections.defaultdict(list)
    for silent, exporting in (servers, servers[::-1]):
        silent.restart()
        exporting.restart(**export_to(url))
        for pair in zip(loads(silent, seconds), loads(exporting, seconds)):
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
            for door, sends in (("JSON", json_sends), ("gRPC", grpc_sends)):
                rows[f"{name} {door}"].append(rounds_of(name, (silent, exporting), sends))
        # The cost would be lower if spans were lost.
        print(f"  spans that were not exported: {dropped_spans(exporting)}")
    for name, by_role in rows.items():
        print_row(name, by_role)


def print_instructions(server, url):
    server.stop()
    off, on = per_request(server), per_request(server, **export_to(url))
    print_result(
        "account JSON: instructions with OTLP ÷ without",
        f"{on / off:.3f} ×",
        f"at most 1.05 ×; {off:.0f} and {on:.0f} in user mode",
    )


def telemetry_rows(loads, seconds):
    """`loads` lists the requests to a server."""
    for stores in ("sqlite+memory", "postgres+redis"):
        print(f"\n{stores}, sampling 0.1")
        servers = Server(stores, "one"), Server(stores, "other")
        try:
            with collector() as url:
                compare(servers, url, loads, seconds)
                print_instructions(servers[0], url)
                received = call("GET", f"{url}/received")[1]
        finally:
            for server in servers:
                server.stop()
        assert received["traces"], "the collector got no spans"
        print(f"  the collector got {received['traces'] / 1e6:.2f} MB of traces")
