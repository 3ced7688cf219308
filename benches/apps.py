"""The rows of apps: lists and descriptions with many apps, runs, streams, forwarding, and the soak.

Each prints its result beside the target; none fails the bench."""

import itertools
import json
import re
import sqlite3
import subprocess
import threading
import time
import uuid

STREAMS = "target/release/examples/streams"
MANY = 10_000
TEMPLATES = 20


def workflow_dsl():
    """A chain of template nodes, each with the output of the previous one as its input."""
    names = [f"t{index}" for index in range(TEMPLATES - 2)]
    nodes = [
        {
            "id": "start",
            "data": {
                "type": "start",
                "title": "Start",
                "variables": [
                    {"variable": "name", "label": "Name", "type": "text-input", "required": True, "max_length": 48}
                ],
            },
        }
    ]
    for index, name in enumerate(names):
        source = ["start", "name"] if index == 0 else [names[index - 1], "output"]
        nodes.append(
            {
                "id": name,
                "data": {
                    "type": "template-transform",
                    "title": name,
                    "template": "Hello {{ x }}",
                    "variables": [{"variable": "x", "value_selector": source}],
                },
            }
        )
    nodes.append(
        {
            "id": "end",
            "data": {
                "type": "end",
                "title": "End",
                "outputs": [{"variable": "text", "value_selector": [names[-1], "output"]}],
            },
        }
    )
    edges = [
        {"id": f"e{index}", "source": a["id"], "target": b["id"], "sourceHandle": "source", "targetHandle": "target"}
        for index, (a, b) in enumerate(zip(nodes, nodes[1:]))
    ]
    return {
        "version": "0.3.0",
        "kind": "app",
        "app": {"name": "Twenty templates", "mode": "workflow"},
        "workflow": {
            "graph": {"nodes": nodes, "edges": edges},
            "features": {},
            "environment_variables": [],
            "conversation_variables": [],
        },
    }


def failing_dsl():
    """A workflow with a request that is refused, retried, and fails the run."""
    node = lambda id, kind, **data: {"id": id, "data": {"type": kind, "title": id, **data}}
    nodes = [
        node("start", "start", variables=[]),
        node(
            "call",
            "http-request",
            method="get",
            url="http://127.0.0.1:9/",
            authorization={"type": "no-auth"},
            headers="",
            params="",
            body={"type": "none", "data": []},
            retry_config={"retry_enabled": True, "max_retries": 2, "retry_interval": 100},
        ),
        node("end", "end", outputs=[]),
    ]
    edges = [
        {"id": f"e{index}", "source": a["id"], "target": b["id"], "sourceHandle": "source", "targetHandle": "target"}
        for index, (a, b) in enumerate(zip(nodes, nodes[1:]))
    ]
    return {
        "version": "0.3.0",
        "kind": "app",
        "app": {"name": "Failing", "mode": "workflow"},
        "workflow": {
            "graph": {"nodes": nodes, "edges": edges},
            "features": {},
            "environment_variables": [],
            "conversation_variables": [],
        },
    }


def chat_dsl(name, provider="echo"):
    """A chat with the echo model or with that of a model endpoint."""
    return {
        "version": "0.3.0",
        "kind": "app",
        "app": {"name": name, "mode": "chat"},
        "model_config": {
            "model": {"provider": provider, "name": provider, "mode": "chat", "completion_params": {}},
            "pre_prompt": "",
            "prompt_type": "simple",
            "user_input_form": [],
        },
    }


class Apps:
    """The apps of a bench server."""

    def __init__(self, server, call, work):
        self.server, self.call = server, call
        self.bearer = {"Authorization": f"Bearer {server.token}"}
        self.workspace = call("GET", f"{server.url}/openapi/v1/workspaces", headers=self.bearer)[1]["workspaces"][0][
            "id"
        ]
        for dsl in (workflow_dsl(), chat_dsl("Echo"), chat_dsl("Model", "openai"), failing_dsl()):
            # Every JSON text is YAML.
            path = work / f"{dsl['app']['name']}.yml"
            path.write_text(json.dumps(dsl))
            server.command("app", "import", str(path), "--workspace", self.workspace)
        self.echo, self.templates = self.named("Echo"), self.named("Twenty templates")

    def named(self, name):
        url = f"{self.server.url}/openapi/v1/apps?workspace_id={self.workspace}&name={name.replace(' ', '%20')}"
        return self.call("GET", url, headers=self.bearer)[1]["data"][0]["id"]

    def run_url(self, app):
        return f"{self.server.url}/openapi/v1/apps/{app}/run"

    def add(self, count):
        """Adds `count` copies of an app to the workspace, and as many in new workspaces of other accounts."""
        columns = "name, mode, enable_site, enable_api, created_at, updated_at, status, description"
        source = (
            f"SELECT {{id}}, {{tenant}}, {columns}, app_model_config_id "
            f"FROM apps, {{numbers}} WHERE apps.id = '{self.echo}'"
        )
        insert = f"INSERT INTO apps (id, tenant_id, {columns}, app_model_config_id) "
        others = (
            "INSERT INTO tenants (id, name, plan, status, created_at, updated_at) "
            "SELECT {id}, 'Other', plan, status, created_at, updated_at "
            f"FROM tenants WHERE id = '{self.workspace}'"
        )
        joins = (
            "INSERT INTO tenant_account_joins (id, tenant_id, account_id, role, created_at, updated_at) "
            "SELECT {id}, {tenant}, {account}, role, created_at, updated_at "
            f"FROM tenant_account_joins WHERE tenant_id = '{self.workspace}'"
        )
        database = self.server.env["DATABASE_URL"]
        if database.startswith("postgres"):
            new, numbers = "gen_random_uuid()", f"generate_series(1, {count}) AS n"
            statements = [
                insert + source.format(id=new, tenant=tenant, numbers=numbers)
                for tenant in (f"'{self.workspace}'::uuid", new)
            ]
            statements.append(others.replace(" FROM tenants", f" FROM {numbers}, tenants").format(id=new))
            statements.append(
                joins.replace(" FROM tenant", f" FROM {numbers}, tenant").format(id=new, tenant=new, account=new)
            )
            for statement in [*statements, "VACUUM (ANALYZE) apps, tenants, tenant_account_joins"]:
                subprocess.run(["psql", database, "-qc", statement], check=True)
            return
        path = database.removeprefix("sqlite://").split("?")[0]
        new = lambda: str(uuid.uuid4())
        with sqlite3.connect(path, timeout=30) as connection:
            for tenant in (lambda: self.workspace, new):
                statement = f"{insert} SELECT ?, ?, {columns}, app_model_config_id FROM apps WHERE id = '{self.echo}'"
                connection.executemany(statement, [(new(), tenant()) for _ in range(count)])
            connection.executemany(others.format(id="?"), [(new(),) for _ in range(count)])
            connection.executemany(
                joins.format(id="?", tenant="?", account="?"), [(new(), new(), new()) for _ in range(count)]
            )
            connection.execute("ANALYZE")


def streams(*words):
    done = subprocess.run([STREAMS, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        return {"count": 0, "errors": 1, "p50": 0, "p99": 0, "max": 0, "stderr": done.stderr.strip()}
    return json.loads(done.stdout)


def print_result(what, result, target):
    print(f"  {what:62}{result:>16}   {target}")


def lists(apps, seconds, measured, wrk, lua):
    """Lists and descriptions with few and many apps, compared with GET /workspaces."""
    server, script = apps.server, lua(headers=apps.bearer)
    api = f"{server.url}/openapi/v1"
    rows = {
        "workspaces": f"{api}/workspaces",
        "list of 20": f"{api}/apps?workspace_id={apps.workspace}",
        "list narrowed by name": f"{api}/apps?workspace_id={apps.workspace}&name=echo",
        "describe": f"{api}/apps/{apps.echo}/describe",
    }

    def costs():
        found = {name: [] for name in rows}
        for _ in range(3):
            for name, url in rows.items():
                row = measured(name, server.process.pid, lambda: wrk(url, seconds, script))
                found[name].append(row.cpu)
        return {name: sorted(values)[1] for name, values in found.items()}

    # Fills one page, so that the page has the same length in both measurements.
    apps.add(20)
    few = costs()
    apps.add(MANY)
    many = costs()
    for name, limit in (("list of 20", 3), ("describe", 2)):
        ratio = many[name] / many["workspaces"]
        print_result(f"{name}, 10,000 apps: CPU ÷ GET /workspaces", f"{ratio:.2f} ×", f"at most {limit} ×")
        print_result(f"{name}: 10,000 more apps and workspaces ÷ 20", f"{many[name] / few[name]:.2f} ×", "flat")
    print_result(
        "list narrowed by name, 10,000 apps: CPU ÷ GET /workspaces",
        f"{many['list narrowed by name'] / many['workspaces']:.0f} ×",
        "reads every name",
    )


def runs(apps, seconds, cpu_seconds):
    """The time to the first byte, and the CPU cost of a graph."""
    server = apps.server
    chat = json.dumps({"inputs": {}, "query": "Reply exactly: one two three", "response_mode": "streaming"})
    first = streams("first-byte", apps.run_url(apps.echo), server.token, chat, 32, seconds)
    print_result("run to the first SSE byte, echo at pace 0, 32 connections: p50", f"{first['p50']:.2f} ms", "below 2 ms")
    print_result("  p99", f"{first['p99']:.2f} ms", f"below 10 ms; {first['count']} runs, {first['errors']} errors")
    single = streams("first-byte", apps.run_url(apps.echo), server.token, chat, 1, seconds)
    print_result("  one connection: p50", f"{single['p50']:.2f} ms", f"p99 {single['p99']:.2f} ms")

    body = json.dumps({"inputs": {"name": "bench"}, "response_mode": "streaming"})
    before = cpu_seconds(server.process.pid)
    graph = streams("first-byte", apps.run_url(apps.templates), server.token, body, 4, seconds)
    spent = (cpu_seconds(server.process.pid) - before) / max(graph["count"], 1) * 1e3
    print_result(
        "a workflow of 20 nodes, its HTTP and its rows included: CPU",
        f"{spent:.2f} ms",
        f"below 1 ms; {graph['errors']} errors",
    )


def many_streams(apps, rss, pace_ms):
    server = apps.server
    words = " ".join(f"word{index}" for index in range(40))
    body = json.dumps({"inputs": {}, "query": f"Reply exactly: {words}", "response_mode": "streaming"})
    idle, peak, done = rss(server.process.pid), 0.0, threading.Event()

    def sample():
        nonlocal peak
        while not done.wait(0.1):
            peak = max(peak, rss(server.process.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    found = streams("concurrent", apps.run_url(apps.echo), server.token, body, 1000, pace_ms)
    done.set()
    sampler.join()
    print_result("1,000 streams at once: more RSS", f"{peak - idle:.0f} MB", "below 100 MB")
    print_result("  how late events come, p99", f"{found['p99']:.1f} ms", f"{found['count']} events, {found['errors']} errors")
    print_result("  the latest of all", f"{found['max']:.1f} ms", "below 50 ms")


def forwarding(upstream_url, forwarded_url, token, seconds):
    """The latency that forwarding adds to the first byte of the upstream."""
    chat = json.dumps({"inputs": {}, "query": "hi", "response_mode": "streaming", "user": "u"})
    found = {"alone": [], "through": []}
    for _ in range(3):
        found["alone"].append(
            streams("first-byte", f"{upstream_url}/v1/chat-messages", "app-key", chat, 1, seconds)["p50"]
        )
        found["through"].append(streams("first-byte", forwarded_url, token, chat, 1, seconds)["p50"])
    added = sorted(found["through"])[1] - sorted(found["alone"])[1]
    print_result("forwarding adds to the upstream's first byte: p50", f"{added:.2f} ms", "below 0.3 ms")


def counts_of(output):
    """The number of runs that a driver started, and of those that failed."""
    if output.startswith("{"):
        result = json.loads(output)
        return result["count"], result["errors"]
    # The summary of h2load.
    started, failed = re.search(r"(\d+) started, .* (\d+) failed", output).groups()
    return int(started), int(failed)


def soak(apps, forwarding_server, over_grpc, rss, seconds):
    """Measures memory during runs that succeed, fail, are rejected, or break off, built in and forwarded."""
    words = " ".join(f"word{index}" for index in range(12))
    chat = {"inputs": {}, "query": f"Reply exactly: {words}"}

    def over_json(app, body, server=apps.server):
        text = body if isinstance(body, str) else json.dumps({**body, "response_mode": "streaming"})
        return [STREAMS, "first-byte", f"{server.url}/openapi/v1/apps/{app}/run", apps.server.token, text, "4", "5"]

    loads = {
        "chat": over_json(apps.echo, chat),
        "chat over gRPC": over_grpc(apps.echo, chat["query"]),
        "a model with faults": over_json(apps.named("Model"), chat),
        "templates": over_json(apps.templates, {"inputs": {"name": "x"}}),
        # The node is retried before the run fails.
        "a node that fails": over_json(apps.named("Failing"), {"inputs": {}}),
        "an input that lacks": over_json(apps.templates, {"inputs": {}}),
        "no JSON": over_json(apps.echo, "not JSON"),
        "forwarded, with faults": over_json(apps.echo, chat, forwarding_server),
    }
    until, counts = time.monotonic() + seconds, {what: [0, 0] for what in loads}

    def load(what, words):
        # Kills every other driver midway, so that its clients disconnect.
        for disconnects in itertools.cycle((True, False)):
            if time.monotonic() > until:
                return
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            if disconnects:
                time.sleep(2)
                process.kill()
            output = process.communicate()[0]
            if not disconnects:
                counts[what] = [sum(pair) for pair in zip(counts[what], counts_of(output))]

    threads = [threading.Thread(target=load, args=pair) for pair in loads.items()]
    for thread in threads:
        thread.start()
    samples = {server: [] for server in (apps.server, forwarding_server)}
    while time.monotonic() < until:
        time.sleep(min(10, seconds / 20))
        for server, found in samples.items():
            found.append(rss(server.process.pid))
    for thread in threads:
        thread.join()
    for what, (started, failed) in counts.items():
        print_result(f"  {what}", f"{started} started", f"{failed} failed; those that disconnect are not counted")
    for name, found in zip(("built in", "forwarded"), samples.values()):
        third = max(len(found) // 3, 1)
        early, late = sum(found[third : 2 * third]) / third, sum(found[-third:]) / third
        print_result(
            f"soak of {seconds / 60:.0f} min, {name}: RSS of its last third − its second",
            f"{late - early:+.1f} MB",
            f"flat; {found[-1]:.0f} MB at the end",
        )
