"""The load table of benches/run: starts the servers, sends load with wrk and h2load, reads CPU time from /proc."""

import argparse
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import apps
import compare
import connections
import engines
import enterprise
import size
import telemetry
import uploads
from followers import followers
from load import grpc_frame, h2load, h2load_words, lua, measured, wrk
from server import EMAIL, PASSWORD, SERVICE_KEY, WORK, Server, call, cpu_seconds, free_port, rss, wait_for_port


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
        ("_catalog", f"{api}/_catalog", lua(), f"{grpc}MetaService/GetCatalog", grpc_frame(), {}, "/health"),
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
    uploads.uploads(server, f"{server.url}/openapi/v1/apps/{bench.echo}/files/upload", cpu_seconds, rss)
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
            # All devices have one address, so the limits that count polls are on.
            server.restart(OPENAPI_RATE_LIMITS="device_code=0")
            size.waiting(server, cpu_seconds, rss)
            server.restart()
            size.flood(server, wrk, lua)
    finally:
        for server in (few, many, alone):
            server.stop()


def against(binary, seconds):
    """This build and another one, side by side."""
    for stores in ("sqlite+memory", "postgres+redis"):
        servers = Server(stores, "other", binary), Server(stores, "this")
        try:
            compare.compare(*servers, loads, seconds)
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
        if arguments.only in "enterprise":
            print("\nEnterprise edition, postgres+redis")
            enterprise.enterprise_rows(arguments.seconds)
        if arguments.only in "connections":
            print("\nConnections, postgres+redis")
            connections.connection_rows(arguments.seconds)
        if arguments.only in "followers":
            print()
            for stores in ("sqlite+memory", "postgres+redis"):
                server = Server(stores, "followers")
                followers(server, stores)
                server.stop()
        if arguments.only in "size":
            size_rows(arguments.seconds)
        if arguments.only in "telemetry":
            print("\nExport of traces and metrics")
            telemetry.telemetry_rows(loads, arguments.seconds)
    finally:
        bare.terminate()


if __name__ == "__main__":
    main()
