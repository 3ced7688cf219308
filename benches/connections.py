"""The rows of connections: what current credentials cost beside an introspection, and how fast connections are refreshed
ahead of time. The provider answers in 50 ms, from a process of its own."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from apps import print_result
from load import lua, measured, wrk
from server import SERVICE_KEY, Server, call, cpu_seconds, free_port, wait_for_port

PROVIDERS, EACH = 100, 100
DELAY = 0.05
LIFETIME = 3600
STAND_IN = Path(__file__).with_name("token_endpoint.py")


class Redirect(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to the caller."""

    def redirect_request(self, *_):
        return None


class Connections:
    """A server whose account connects to stand-ins of providers."""

    def __init__(self, server, endpoint):
        self.server, self.endpoint = server, endpoint
        self.cookies = server.console_session()
        self.service = {"Enterprise-Api-Secret-Key": SERVICE_KEY}
        self.workspace = call("GET", f"{server.url}/console/api/workspaces", headers=self.cookies)[1]["workspaces"][0]["id"]

    def add_provider(self, number):
        """Imports a provider and sets its OAuth client; returns its key."""
        key = f"bench/tools/p{number}"
        manifest = {
            "identity": {"name": f"p{number}", "label": {"en_US": f"Provider {number}"}},
            "oauth_schema": {
                "client_schema": [{"name": "client_id", "type": "text-input", "required": True}],
                "credentials_schema": [
                    {"name": name, "type": "secret-input"} for name in ("access_token", "refresh_token")
                ],
            },
            "oauth": {"authorization_url": f"{self.endpoint}/auth", "token_url": f"{self.endpoint}/token"},
        }
        # Every JSON text is YAML.
        self.server.command("connection", "provider", "import", "-", "--key", key, stdin=json.dumps(manifest))
        url = f"{self.server.url}/console/api/workspaces/current/tool-provider/builtin/{key}/oauth/custom-client"
        call("POST", url, {"client_params": {"client_id": "bench"}}, self.cookies)
        return key

    def connect(self, key):
        """Connects the account, as a browser does after the consent."""
        base = f"{self.server.url}/console/api/oauth/plugin/{key}/tool"
        response, answer = call("GET", f"{base}/authorization-url", headers=self.cookies)
        cookie = response.headers["set-cookie"].split(";")[0]
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(answer["authorization_url"]).query)
        consent = urllib.parse.urlencode({"state": query["state"][0], "code": "bench"})
        headers = {**self.cookies, "cookie": f"{self.cookies['cookie']}; {cookie}"}
        request = urllib.request.Request(f"{base}/callback?{consent}", headers=headers)
        try:
            urllib.request.build_opener(Redirect).open(request)
        except urllib.error.HTTPError as redirect:
            assert redirect.code == 302 and "error" not in redirect.headers["location"], redirect.headers["location"]

    def listed(self, key):
        """The ids of the provider's connections."""
        body = {"tenant_id": self.workspace, "provider": key}
        answer = call("POST", f"http://127.0.0.1:{self.server.inner}/inner/api/connections/list", body, self.service)[1]
        return [connection["credential_id"] for connection in answer["connections"]]

    def credentials_request(self, key, connection):
        body = json.dumps({"tenant_id": self.workspace, "provider": key, "credential_id": connection})
        url = f"http://127.0.0.1:{self.server.inner}/inner/api/connections/credentials"
        return url, body


def warm(connections, seconds):
    """Current credentials that need no refresh, beside an introspection."""
    server = connections.server
    key = connections.add_provider(0)
    connections.connect(key)
    url, body = connections.credentials_request(key, connections.listed(key)[0])
    headers = {**connections.service, "Content-Type": "application/json"}
    rows = {
        "credentials": (url, lua("POST", headers, body)),
        "introspect": (
            f"http://127.0.0.1:{server.inner}/openapi/v1/oauth/introspect",
            lua("POST", headers, json.dumps({"token": server.token})),
        ),
    }
    found = {name: [] for name in rows}
    for _ in range(5):
        for name, (address, script) in rows.items():
            row = measured(name, server.process.pid, lambda: wrk(address, seconds, script))
            assert row.errors == 0, f"{name}: {row.errors} errors"
            found[name].append(row.cpu)
    cost = {name: sorted(values)[2] for name, values in found.items()}
    print_result(
        "GetCredentials, warm: CPU ÷ introspect",
        f"{cost['credentials'] / cost['introspect']:.2f} ×",
        f"at most 1.5 ×; {cost['credentials']:.0f} and {cost['introspect']:.0f} µs",
    )


def refreshed_ahead(connections):
    """The time in which many connections that expire soon are refreshed in the background."""
    server = connections.server
    keys = [connections.add_provider(number) for number in range(1, PROVIDERS + 1)]

    def fill(key):
        for _ in range(EACH):
            connections.connect(key)
        for connection in connections.listed(key):
            url, body = connections.credentials_request(key, connection)
            call("POST", url, json.loads(body), connections.service)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fill, keys))
    # All of them are due at once.
    statement = (
        "UPDATE tool_builtin_providers SET updated_at = timezone('UTC', now()) - interval '1 hour', "
        "expires_at = extract(epoch FROM now())::bigint + 600"
    )
    subprocess.run(["psql", server.env["DATABASE_URL"], "-qc", statement], check=True)
    read = lambda: json.loads(urllib.request.urlopen(f"{connections.endpoint}/refreshes").read())
    while not read():
        time.sleep(0.1)
    started, cpu = time.monotonic(), cpu_seconds(server.process.pid)
    while read() < PROVIDERS * EACH:
        time.sleep(0.5)
        if time.monotonic() - started > 900:
            break
    took, cpu = time.monotonic() - started, cpu_seconds(server.process.pid) - cpu
    print_result(
        f"{read():,} of {PROVIDERS * EACH:,} connections refreshed ahead of time",
        f"{took:.0f} s",
        f"at most 900 s on one core; {cpu:.1f} s of CPU",
    )


def connection_rows(seconds):
    port = free_port()
    endpoint = subprocess.Popen([sys.executable, str(STAND_IN), str(port), str(DELAY), str(LIFETIME)])
    wait_for_port(port)
    server = Server("postgres+redis", "connections")
    try:
        server.restart(HTTP_REQUEST_ALLOWED_NETWORKS="127.0.0.0/8")
        connections = Connections(server, f"http://127.0.0.1:{port}")
        warm(connections, seconds)
        refreshed_ahead(connections)
    finally:
        server.stop()
        endpoint.terminate()
