"""The rows of the Enterprise edition: a page of permitted apps among many, and what the access gate adds.

The access gate is measured beside a server of the Community edition with the same apps; their rounds alternate."""

import hashlib
import json
import secrets
import statistics
import subprocess

from apps import MANY, Apps, print_result, streams
from load import lua, measured, wrk
from server import WORK, Server, call, cpu_seconds

ROUNDS = 5
IDENTITY, ISSUER = "guest@idp.example", "https://idp.example"


def sql(server, statement):
    subprocess.run(["psql", server.env["DATABASE_URL"], "-qc", statement], check=True)


def external_token(server):
    """A token of an external identity, which no browser signs in here."""
    token = f"dfoe_{secrets.token_urlsafe(32)}"
    sql(
        server,
        "INSERT INTO oauth_access_tokens (id, subject_email, subject_issuer, client_id, device_label, prefix, token_hash, "
        f"created_at, expires_at) VALUES (gen_random_uuid(), '{IDENTITY}', '{ISSUER}', 'difyctl', 'bench', 'dfoe_', "
        f"'{hashlib.sha256(token.encode()).hexdigest()}', now(), now() + interval '1 day')",
    )
    return token


def permitted_page(apps, seconds):
    """A page of 20 permitted apps among many, compared with GET /workspaces of an account."""
    server = apps.server
    apps.add(MANY)
    sql(
        server,
        "INSERT INTO openapi_app_access (app_id, access_mode, changed_by, changed_at) "
        f"SELECT id, 'public', 'bench', now() FROM apps WHERE tenant_id = '{apps.workspace}'; ANALYZE openapi_app_access",
    )
    bearer = {"Authorization": f"Bearer {external_token(server)}"}
    url = f"{server.url}/openapi/v1/permitted-external-apps?limit=20"
    page = call("GET", url, headers=bearer)[1]
    assert len(page["data"]) == 20 and page["total"] > MANY, page["total"]
    rows = {"page": (url, bearer), "workspaces": (f"{server.url}/openapi/v1/workspaces", apps.bearer)}
    found = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, (address, headers) in rows.items():
            row = measured(name, server.process.pid, lambda: wrk(address, seconds, lua(headers=headers)))
            assert row.errors == 0, f"{name}: {row.errors} errors"
            found[name].append(row)
    middle = {name: statistics.median(row.cpu for row in measurements) for name, measurements in found.items()}
    p50 = statistics.median(row.p50 for row in found["page"])
    print_result(
        f"page of 20 permitted apps among {MANY:,}: CPU ÷ GET /workspaces",
        f"{middle['page'] / middle['workspaces']:.2f} ×",
        f"{middle['page']:.0f} µs, p50 {p50:.2f} ms at 32 connections",
    )


def run_cpu(apps, seconds):
    """CPU in microseconds of a short chat."""
    chat = json.dumps({"inputs": {}, "query": "Reply exactly: one two three", "response_mode": "streaming"})
    before = cpu_seconds(apps.server.process.pid)
    done = streams("first-byte", apps.run_url(apps.echo), apps.server.token, chat, 8, seconds)
    assert done["errors"] == 0, done
    return (cpu_seconds(apps.server.process.pid) - before) / done["count"] * 1e6


def gate(community, enterprise, seconds):
    """What the access gate adds to describe and run."""
    found = {name: ([], []) for name in ("describe", "run")}
    for _ in range(ROUNDS):
        for side, apps in enumerate((community, enterprise)):
            url, script = f"{apps.server.url}/openapi/v1/apps/{apps.echo}/describe", lua(headers=apps.bearer)
            row = measured("describe", apps.server.process.pid, lambda: wrk(url, seconds, script))
            found["describe"][side].append(row.cpu)
            found["run"][side].append(run_cpu(apps, seconds))
    for name, sides in found.items():
        without, with_gate = (statistics.median(side) for side in sides)
        print_result(
            f"access gate, {name}: CPU ÷ the same on CE",
            f"{with_gate / without:.3f} ×",
            f"at most 1.1 ×; {without:.0f} and {with_gate:.0f} µs",
        )


def enterprise_rows(seconds):
    servers = Server("postgres+redis", "community"), Server("postgres+redis", "enterprise")
    try:
        servers[1].restart(ENTERPRISE_ENABLED="true")
        community, enterprise = (Apps(server, call, WORK) for server in servers)
        gate(community, enterprise, seconds)
        permitted_page(enterprise, seconds)
    finally:
        for server in servers:
            server.stop()
