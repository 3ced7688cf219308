"""The row of a workflow of 20 mixed nodes, here and on graphon, Dify's engine, with the same model and HTTP server."""

import contextlib
import json
import os
import subprocess
import sys
import time

RUNS = 200
WARM_UP = 20
INPUTS = {"topic": "tea", "tone": "kind"}
MODEL = {
    "provider": "langgenius/openai/openai", "name": "gpt-x", "mode": "chat", "completion_params": {"temperature": 0},
}


def mixed_dsl(upstream):
    """Templates, models, requests, branches that join, and an iteration."""
    nodes, edges = [], []

    def node(identifier, kind, after=(), inside=None, handle="source", **data):
        shape = "custom-iteration-start" if kind == "iteration-start" else "custom"
        written = {"id": identifier, "type": shape, "data": {"type": kind, "title": identifier, "desc": "", **data}}
        if inside:
            written["parentId"] = inside
            written["data"].update(isInIteration=True, iteration_id=inside)
        nodes.append(written)
        for source in (after,) if isinstance(after, str) else after:
            ends = {"source": source, "target": identifier, "sourceHandle": handle, "targetHandle": "target"}
            edges.append({"id": f"{source}-{handle}-{identifier}", **ends})

    def template(identifier, after, source, inside=None, handle="source", **values):
        variables = [{"variable": name, "value_selector": selector.split(".")} for name, selector in values.items()]
        node(identifier, "template-transform", after, inside, handle, template=source, variables=variables)

    def model(identifier, after, text):
        prompt = [{"id": "1", "role": "system", "text": "Answer briefly."}, {"id": "2", "role": "user", "text": text}]
        node(
            identifier, "llm", after, model=MODEL, prompt_template=prompt,
            context={"enabled": False, "variable_selector": []}, vision={"enabled": False},
        )

    def request(identifier, after, method, path, body):
        content = [{"id": "1", "type": "text", "key": "", "value": body}] if body else []
        node(
            identifier, "http-request", after, method=method, url=upstream + path, headers="X-Bench: 1", params="",
            authorization={"type": "no-auth", "config": None},
            body={"type": "json" if body else "none", "data": content}, timeout={}, variables=[],
        )

    def branch(identifier, after, selector, operator, value):
        condition = {"id": "c", "variable_selector": selector.split(".")}
        condition |= {"comparison_operator": operator, "value": value}
        case = {"id": "true", "case_id": "true", "logical_operator": "and", "conditions": [condition]}
        node(identifier, "if-else", after, cases=[case])

    fields = [
        {"variable": name, "label": name, "type": "text-input", "required": True, "max_length": 48, "options": []}
        for name in INPUTS
    ]
    node("start", "start", variables=fields)
    template("title", "start", "{{ topic|title }} ({{ tone }})", topic="start.topic", tone="start.tone")
    model("draft", "title", "Write about {{#title.output#}}.")
    branch("long", "draft", "draft.text", "contains", "messages")
    template("shorten", "long", "{{ text|truncate(60) }}", handle="true", text="draft.text")
    template("keep", "long", "{{ text }}", handle="false", text="draft.text")
    node("text", "variable-aggregator", ("shorten", "keep"), output_type="string",
         variables=[["shorten", "output"], ["keep", "output"]])
    request("post", "text", "post", "/echo", '{"text": "{{#text.output#}}", "tags": ["a", "b"]}')
    branch("posted", "post", "post.status_code", "=", "200")
    model("review", "posted", "Review {{#text.output#}}.")
    edges[-1]["sourceHandle"] = "true"
    template("failed", "posted", "failed", handle="false", code="post.status_code")
    node("result", "variable-aggregator", ("review", "failed"), output_type="string",
         variables=[["review", "text"], ["failed", "output"]])
    request("tags", "result", "get", "/json/object", "")
    template("list", "tags", "{{ body }}", body="tags.body")
    node("each", "iteration", "list", iterator_selector=["conversation", "names"], output_selector=["line", "output"],
         output_type="array[string]", start_node_id="eachstart", is_parallel=False, parallel_nums=10,
         error_handle_mode="terminated", flatten_output=True)
    node("eachstart", "iteration-start", inside="each")
    template("line", "eachstart", "{{ index }}: {{ item|upper }}", inside="each", index="each.index", item="each.item")
    template("report", "each", "{{ title }}\n{% for line in lines %}- {{ line }}\n{% endfor %}{{ review }}",
             title="title.output", lines="each.output", review="result.output")
    model("summary", "report", "Sum up {{#report.output#}}")
    node("end", "end", "summary", outputs=[
        {"variable": "report", "value_selector": ["report", "output"]},
        {"variable": "summary", "value_selector": ["summary", "text"]},
    ])
    assert len(nodes) == 20, len(nodes)
    names = {"id": "names", "name": "names", "value_type": "array[string]", "value": ["ada", "bob", "eve"],
             "selector": ["conversation", "names"], "description": ""}
    return {
        "version": "0.5.0", "kind": "app", "app": {"name": "Mixed nodes", "mode": "workflow"},
        "workflow": {
            "graph": {"nodes": nodes, "edges": edges}, "features": {}, "environment_variables": [],
            "conversation_variables": [names],
        },
    }


@contextlib.contextmanager
def endpoints(python):
    """The model and the HTTP server of the differential test; yields their URL."""
    command = [python, "tests/differential/upstream.py"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()


def mixed_nodes(bench, cpu_seconds, work):
    """Runs the workflow here and on graphon, one run after the other; prints CPU, wall time and their ratios."""
    python = os.environ.get("TEST_GRAPHON")
    if not python:
        print("  20 mixed nodes: left out, because graphon is not installed")
        return
    server = bench.server
    with endpoints(python) as upstream:
        path = work / "mixed.yml"
        path.write_text(json.dumps(mixed_dsl(upstream)))
        server.restart(OPENAI_BASE_URL=f"{upstream}/v1", HTTP_REQUEST_ALLOWED_NETWORKS="127.0.0.0/8")
        server.command("app", "import", str(path), "--workspace", bench.workspace)
        url, body = bench.run_url(bench.named("Mixed nodes")), {"inputs": INPUTS, "response_mode": "blocking"}

        def run():
            data = bench.call("POST", url, body, bench.bearer)[1]["data"]
            if data["status"] != "succeeded":
                sys.exit(f"20 mixed nodes: {data['error']}")
            return data["outputs"]

        for _ in range(WARM_UP):
            outputs = run()
        pid = server.process.pid
        before, started = cpu_seconds(pid), time.monotonic()
        for _ in range(RUNS):
            run()
        here = {"cpu": cpu_seconds(pid) - before, "wall": time.monotonic() - started}
        command = [python, "benches/graphon_runs.py", str(path), upstream, str(RUNS), json.dumps(INPUTS)]
        there = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if there["outputs"] != outputs:
            sys.exit(f"20 mixed nodes: {outputs} here, {there['outputs']} on graphon")
    per_run = lambda engine, what: engine[what] / RUNS * 1e3
    print(
        f"  20 mixed nodes, ms a run: CPU {per_run(here, 'cpu'):.2f} here, {per_run(there, 'cpu'):.2f} on graphon "
        f"({there['cpu'] / here['cpu']:.0f} times); "
        f"wall {per_run(here, 'wall'):.2f} here, {per_run(there, 'wall'):.2f} on graphon "
        f"({there['wall'] / here['wall']:.1f} times)"
    )
