"""The load table of benches/run: starts the servers, sends load with wrk and h2load, reads CPU time from /proc."""

import argparse
import base64
import contextlib
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import apps
import compare
import engines
import size

WORK = Path(os.environ["BENCH_WORK"])
TICK = os.sysconf("SC_CLK_TCK")
SERVICE_KEY = "the-internal-services-of-the-benches"
LIMITS_OFF = ",".join(
    f"{name}=0"
    for name in (
        "device_code device_token lookup unknown_bearer user_code approve account token revoke refresh login"
    ).split()
)
EMAIL, PASSWORD = "bench@example.com", "bench-password-1"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_seconds(pid, children=False):
    """User and system time in seconds of a process, with its running and reaped children if wanted."""

    def one(p):
        fields = Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(int(field) for field in fields[11:15]) / TICK

    total = one(pid)
    if children:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                total += one(child)
            except FileNotFoundError:
                pass
    return total


def call(method, url, body=None, headers=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if data:
        request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request) as response:
        raw = response.read()
        return response, json.loads(raw) if raw else None


class Server:
    """A `serve` process on one pair of stores, with the token of one account."""

    def __init__(self, stores, name="bench", binary="target/release/dify-openapi"):
        self.stores, self.binary = stores, binary
        self.port, self.inner, self.grpc, self.admin = (free_port() for _ in range(4))
        self.url = f"http://127.0.0.1:{self.port}"
        data = WORK / f"data-{stores}-{name}"
        data.mkdir()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(WORK),
            "DEPLOY_ENV": "DEVELOPMENT",
            "SECRET_KEY": "a secret of the benches, long enough to be one",
            "DATA_DIR": str(data),
            "CONSOLE_WEB_URL": self.url,
            "LISTEN": f"127.0.0.1:{self.port}",
            "INNER_LISTEN": f"127.0.0.1:{self.inner}",
            "GRPC_LISTEN": f"127.0.0.1:{self.grpc}",
            "ADMIN_LISTEN": f"127.0.0.1:{self.admin}",
            "INNER_API_KEY": SERVICE_KEY,
            "OPENAPI_RATE_LIMITS": LIMITS_OFF,
            "LOG_OUTPUT_FORMAT": "json",
        }
        if stores == "postgres+redis":
            admin = os.environ["TEST_POSTGRES_URL"]
            subprocess.run(["psql", admin, "-qc", f"CREATE DATABASE {name}"], check=True)
            self.env["DATABASE_URL"] = admin.rsplit("/", 1)[0] + f"/{name}"
            self.env["REDIS_URL"] = os.environ["TEST_REDIS_URL"]
            self.env["REDIS_KEY_PREFIX"] = name
        else:
            self.env["DATABASE_URL"] = f"sqlite://{data}/bench.db?mode=rwc"
        self.command("migrate", "up")
        self.command("account", "create", EMAIL, "--name", "Bench", stdin=PASSWORD)
        self.command("workspace", "create", "Bench Workspace", "--owner", EMAIL)
        self.start()
        self.idle_rss = rss(self.process.pid)
        self.token = self.sign_in()

    def start(self, **more):
        self.started = time.monotonic()
        self.log = open(WORK / f"serve-{self.stores}.log", "ab")
        self.process = subprocess.Popen(
            [self.binary, "serve"], env={**self.env, **more}, stdout=self.log, stderr=self.log
        )
        wait_for_port(self.port)
        self.ready = time.monotonic() - self.started
        time.sleep(0.5)

    def restart(self, **more):
        self.stop()
        self.start(**more)

    def command(self, *words, stdin=None):
        done = subprocess.run(
            [self.binary, *words], env=self.env, input=(stdin or "").encode(), capture_output=True
        )
        if done.returncode:
            sys.exit(f"{' '.join(words)}: {done.stderr.decode()}")

    def device_code(self):
        return call("POST", f"{self.url}/openapi/v1/oauth/device/code", {"client_id": "difyctl"})[1]

    def sign_in(self):
        password = base64.b64encode(PASSWORD.encode()).decode()
        response, _ = call("POST", f"{self.url}/console/api/login", {"email": EMAIL, "password": password})
        cookies = dict(cookie.split(";")[0].split("=", 1) for cookie in response.headers.get_all("set-cookie"))
        header = {"cookie": "; ".join(f"{k}={v}" for k, v in cookies.items()), "x-csrf-token": cookies["csrf_token"]}
        codes = self.device_code()
        call("POST", f"{self.url}/openapi/v1/oauth/device/approve", {"user_code": codes["user_code"]}, header)
        polled = call(
            "POST",
            f"{self.url}/openapi/v1/oauth/device/token",
            {"client_id": "difyctl", "device_code": codes["device_code"]},
        )[1]
        return polled["token"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def wait_for_port(port):
    for _ in range(4000):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.002)
    sys.exit(f"nothing listens on {port}")


def rss(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


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


def loads(server, seconds):
    """The rows of one pair of stores: name, JSON URL and script, gRPC URL, frame and headers, bare handler's path."""
    bearer = {"Authorization": f"Bearer {server.token}"}
    api, service = f"{server.url}/openapi/v1", {"Enterprise-Api-Secret-Key": SERVICE_KEY}
    grpc, inner = f"http://127.0.0.1:{server.grpc}/dify.openapi.v1.", f"http://127.0.0.1:{server.inner}/openapi/v1"
    json_type = {"Content-Type": "application/json"}
    codes = [server.device_code()["device_code"] for _ in range(200)]
    listed = ", ".join(f'"{code}"' for code in codes)
    # Polls the codes in turn: the first poll of each returns `authorization_pending`, later ones `slow_down`.
    poll = (
        f'local codes, i = {{ {listed} }}, 0\nlocal headers = {{ ["Content-Type"] = "application/json" }}\n'
        'request = function()\n i = i % #codes + 1\n return wrk.format("POST", nil, headers, '
        '\'{"client_id":"difyctl","device_code":"\' .. codes[i] .. \'"}\')\nend'
    )
    code_body = '{"client_id":"difyctl","device_label":"bench"}'
    introspect = json.dumps({"token": server.token})
    return [
        ("_health", f"{api}/_health", lua(), f"{grpc}MetaService/GetHealth", grpc_frame(), {}, "/health"),
        (
            "introspect",
            f"{inner}/oauth/introspect",
            lua("POST", {**service, **json_type}, introspect),
            f"{grpc}TokenService/IntrospectToken",
            grpc_frame(server.token),
            service,
            "/introspect",
        ),
        (
            "account",
            f"{api}/account",
            lua(headers=bearer),
            f"{grpc}IdentityService/GetAccount",
            grpc_frame(),
            bearer,
            "/account",
        ),
        (
            "workspaces",
            f"{api}/workspaces",
            lua(headers=bearer),
            f"{grpc}WorkspaceService/ListWorkspaces",
            grpc_frame(),
            bearer,
            "/workspaces",
        ),
        (
            "device/code",
            f"{api}/oauth/device/code",
            lua("POST", json_type, code_body),
            f"{grpc}DeviceFlowService/CreateDeviceCode",
            grpc_frame("difyctl", "bench"),
            {},
            "/code",
        ),
        (
            "poll",
            f"{api}/oauth/device/token",
            poll,
            f"{grpc}DeviceFlowService/PollDeviceToken",
            grpc_frame(codes[0], "difyctl"),
            {},
            "/poll",
        ),
    ]


def bare_body(path, server):
    if path in ("/introspect",):
        return lua("POST", {"Content-Type": "application/json"}, json.dumps({"token": server.token}))
    if path == "/code":
        return lua("POST", {"Content-Type": "application/json"}, '{"client_id":"difyctl","device_label":"bench"}')
    if path == "/poll":
        return lua(
            "POST",
            {"Content-Type": "application/json"},
            json.dumps({"client_id": "difyctl", "device_code": "dc_" + "x" * 32}),
        )
    return lua()


def show(stores, rows):
    print(
        f"\n{stores}\n{'':26}{'server µs':>10}{'× bare':>8}{'redis µs':>10}{'postgres µs':>12}"
        f"{'req/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}"
    )
    for row in rows:
        ratio = f"{row.ratio:.2f}" if row.ratio else ""
        print(
            f"{row.name:26}{row.cpu:10.1f}{ratio:>8}{row.redis:10.1f}{row.postgres:12.1f}"
            f"{row.requests / row.seconds:10.0f}{row.p50:9.2f}{row.p99:9.2f}{row.errors:8}"
        )
    sys.stdout.flush()


def app_rows(server, seconds):
    """The rows of apps. The server restarts when a row needs other settings."""
    bench = apps.Apps(server, call, WORK)
    apps.runs(bench, seconds, cpu_seconds)
    apps.lists(bench, seconds, measured, wrk, lua)
    engines.mixed_nodes(bench, cpu_seconds, WORK)
    server.restart(ECHO_PACE_MS="100")
    apps.many_streams(bench, rss, 100)
    if server.stores == "postgres+redis":
        with upstream() as url:
            forward(server, url)
            apps.forwarding(url, bench.run_url(bench.echo), server.token, seconds)


@contextlib.contextmanager
def upstream(*how):
    """A fake of Dify's service API and of a model endpoint; yields its URL."""
    port = free_port()
    process = subprocess.Popen([apps.STREAMS, "upstream", str(port), *how])
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()


def forward(server, url):
    """Restarts the server beside Dify, so that it forwards runs to the URL."""
    # Marks the tables that a standalone server created as tables of Dify.
    size.sql(server, "DELETE FROM openapi_migrations WHERE version NOT LIKE '%openapi%'")
    server.restart(BESIDE_DIFY="true", DIFY_API_URL=url)


def soak(seconds):
    """Two servers on one database: one runs apps itself, the other forwards runs."""
    server = Server("postgres+redis")
    bench = apps.Apps(server, call, WORK)
    other = Server("postgres+redis", "other")
    other.env["DATABASE_URL"], other.env["REDIS_KEY_PREFIX"] = (
        server.env["DATABASE_URL"],
        server.env["REDIS_KEY_PREFIX"],
    )

    def over_grpc(app, query):
        url = f"http://127.0.0.1:{server.grpc}/dify.openapi.v1.AppService/RunApp"
        # The inputs are empty: an empty Struct has the encoding of an empty string.
        return h2load_words(url, 5, grpc_frame(app, "", query), bench.bearer)

    try:
        with upstream("faulty") as url:
            server.restart(OPENAI_BASE_URL=f"{url}/v1")
            forward(other, url)
            apps.soak(bench, other, over_grpc, rss, seconds)
    finally:
        server.stop()
        other.stop()


def size_rows(seconds):
    """The rows with large tables, on separate servers."""
    few, many, alone = (
        Server("postgres+redis", "few"),
        Server("postgres+redis", "many"),
        Server("sqlite+memory", "waiting"),
    )
    try:
        size.flat(few, many, seconds, wrk, lua, call)
        size.retention(many, call, EMAIL, PASSWORD)
        for server in (many, alone):
            print(f"\n{server.stores}")
            size.waiting(server, cpu_seconds, rss)
            size.flood(server, wrk, lua)
    finally:
        for server in (few, many, alone):
            server.stop()


def against(binary, seconds):
    """This build and another one, side by side."""
    for stores in ("sqlite+memory", "postgres+redis"):
        servers = Server(stores, "other", binary), Server(stores, "this")
        try:
            compare.compare(*servers, seconds, sys.modules[__name__])
        finally:
            for server in servers:
                server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--only", default="")
    parser.add_argument("--soak", type=int, default=0, help="seconds of mixed runs instead of the table")
    parser.add_argument("--against", help="another binary of the service, which is compared instead of the table")
    arguments = parser.parse_args()
    if arguments.soak:
        soak(arguments.soak)
        return
    if arguments.against:
        against(arguments.against, arguments.seconds)
        return
    port = free_port()
    bare = subprocess.Popen(["target/release/examples/bare_axum", str(port)], stdout=subprocess.DEVNULL)
    wait_for_port(port)
    bare_url = f"http://127.0.0.1:{port}"
    try:
        size = Path("target/release/dify-openapi").stat().st_size / 1e6
        rows = [
            measured("bare _health", bare.pid, lambda: wrk(f"{bare_url}/health", arguments.seconds, lua())),
            measured(
                "codec alone _health", bare.pid, lambda: wrk(f"{bare_url}/openapi/v1/_health", arguments.seconds, lua())
            ),
        ]
        rows[1].ratio = rows[1].cpu / rows[0].cpu
        show("no store", rows)
        for stores in ("sqlite+memory", "postgres+redis"):
            server = Server(stores)
            rows = []
            for name, url, script, grpc_url, frame, headers, path in loads(server, arguments.seconds):
                if arguments.only not in name:
                    continue
                base = measured(
                    f"{name} bare", bare.pid, lambda: wrk(bare_url + path, arguments.seconds, bare_body(path, server))
                )
                over_json = measured(f"{name} JSON", server.process.pid, lambda: wrk(url, arguments.seconds, script))
                over_grpc = measured(
                    f"{name} gRPC", server.process.pid, lambda: h2load(grpc_url, arguments.seconds, frame, headers)
                )
                over_json.ratio, over_grpc.ratio = over_json.cpu / base.cpu, over_grpc.cpu / base.cpu
                rows += [base, over_json, over_grpc]
            show(stores, rows)
            print(f"ready after {server.ready * 1e3:.0f} ms, idle RSS {server.idle_rss:.1f} MB, binary {size:.1f} MB")
            if arguments.only in "apps":
                app_rows(server, arguments.seconds)
            server.stop()
        if arguments.only in "size":
            size_rows(arguments.seconds)
    finally:
        bare.terminate()


if __name__ == "__main__":
    main()
