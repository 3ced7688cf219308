"""Load with wrk and h2load, and the CPU time that it costs."""

import os
import re
import statistics
import subprocess

from server import WORK, cpu_seconds


class Row:
    """The results of one load; CPU in microseconds per request."""

    def __init__(self, name, seconds, requests, latencies, cpu, redis, postgres, errors):
        self.name, self.seconds, self.requests, self.errors = name, seconds, requests, errors
        self.p50, self.p99 = latencies
        per = lambda spent: spent / max(requests, 1) * 1e6
        self.cpu, self.redis, self.postgres = per(cpu), per(redis), per(postgres)
        self.ratio = None


def measured(name, pid, drive):
    stores = (int(os.environ["BENCH_REDIS_PID"]), False), (int(os.environ["BENCH_POSTGRES_PID"]), True)
    before = [cpu_seconds(pid)] + [cpu_seconds(*store) for store in stores]
    seconds, requests, latencies, errors = drive()
    after = [cpu_seconds(pid)] + [cpu_seconds(*store) for store in stores]
    spent = [b - a for a, b in zip(before, after)]
    return Row(name, seconds, requests, latencies, *spent, errors)


def wrk(url, seconds, lua):
    script = WORK / "load.lua"
    script.write_text(lua)
    out = subprocess.run(
        ["wrk", "-t1", "-c32", f"-d{seconds}s", "--latency", "-s", str(script), url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}

    def latency(percent):
        value, suffix = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", out).groups()
        return float(value) * unit[suffix]

    requests = int(re.search(r"(\d+) requests in", out)[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return seconds, requests, (latency(50), latency(99)), int(bad[1]) if bad else 0


def h2load_words(url, seconds, frame, headers):
    body = WORK / "frame.bin"
    body.write_bytes(frame)
    words = ["h2load", "-D", str(seconds), "-c", "8", "-m", "4", "-d", str(body)]
    for name, value in {"content-type": "application/grpc", "te": "trailers", **headers}.items():
        words += ["-H", f"{name}: {value}"]
    return [*words, url]


def h2load(url, seconds, frame, headers):
    log = WORK / "h2load.log"
    log.unlink(missing_ok=True)
    subprocess.run(
        [*h2load_words(url, seconds, frame, headers), "--log-file", str(log)],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    times = sorted(int(line[2]) / 1e3 for line in lines)
    errors = sum(line[1] != "200" for line in lines)
    quantiles = statistics.quantiles(times, n=100) if len(times) > 1 else [0] * 99
    return seconds, len(times), (quantiles[49], quantiles[98]), errors


def lua(method="GET", headers=None, body=None):
    lines = [f'wrk.method = "{method}"']
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in (headers or {}).items()]
    if body is not None:
        lines.append(f"wrk.body = [[{body}]]")
    return "\n".join(lines)


def grpc_frame(*strings):
    """A gRPC frame of a message with the string fields 1, 2, …"""
    message = b"".join(bytes([number << 3 | 2, len(text)]) + text.encode() for number, text in enumerate(strings, 1))
    return b"\0" + len(message).to_bytes(4, "big") + message
