"""Shapes of graphs: a chain, branches that join, parallel branches, an iteration, and nodes whose failure is handled."""

from . import nodes


def step(app, upstream):
    choices = [nodes.template, nodes.template, nodes.llm, nodes.grouped_aggregator]
    if not app.level:
        choices += [lambda app: nodes.http(app, upstream)] * 2
        if app.ordered and any(selector[0] == "conversation" for selector, _ in app.scope):
            choices.append(nodes.assigner)
    return app.rng.choice(choices)(app)


def chain(app, before, length, upstream, handle="source"):
    for _ in range(length):
        node = handled(app, step(app, upstream))
        app.edge(before, node, handle)
        before, handle = node, "source"
    return before


def handled(app, node):
    """Gives some nodes a strategy for their failure, with retries."""
    data = app.nodes[-1]["data"]
    if data["type"] not in ("llm", "http-request", "template-transform") or app.rng.random() < 0.7:
        return node
    if data["type"] in ("llm", "http-request") and app.rng.random() < 0.4:
        data["retry_config"] = {"retry_enabled": True, "max_retries": app.rng.choice([1, 2]), "retry_interval": 1}
        app.use("retry")
    if data["type"] != "template-transform":
        data["error_strategy"] = "default-value"
        output = {"llm": "text", "http-request": "body"}[data["type"]]
        data["default_value"] = [{"key": output, "type": "string", "value": "by default"}]
        # The other outputs are missing when the node fails.
        app.scope = [(selector, kind) for selector, kind in app.scope if selector[0] != node or selector[1] == output]
        app.use("default-value")
        if data["type"] == "llm" and app.rng.random() < 0.4:
            data["prompt_template"][1]["text"] = "STATUS<<503>>"
    return node


def branches(app, before, upstream):
    """An `if-else` whose branches join in an aggregator."""
    condition, handles = nodes.if_else(app)
    app.edge(before, condition)
    around, ends = list(app.scope), []
    for handle in handles:
        app.scope = list(around)
        node = app.rng.choice([nodes.template, nodes.llm])(app)
        app.edge(condition, node, handle)
        ends.append(node)
    app.scope = around
    selectors = [[node, "output" if node.startswith("te") else "text"] for node in ends]
    join = nodes.aggregator(app, selectors, "string")
    for node in ends:
        app.edge(node, join)
    return join


def parallel(app, before, upstream):
    """Branches that run at the same time."""
    # From here on no node changes a variable that another branch may read.
    app.ordered = False
    app.use("parallel")
    around, ends = list(app.scope), []
    for _ in range(app.rng.choice([2, 3])):
        app.scope = list(around)
        ends.append(chain(app, before, app.rng.randrange(1, 3), upstream))
    app.scope = around
    join = nodes.template(app)
    for node in ends:
        app.edge(node, join)
    return join


def iteration(app, before, upstream):
    lists = [(selector, kind) for selector, kind in app.scope if kind.startswith("array")]
    if not lists:
        return nodes_after(app, before, nodes.template(app))
    selector, kind = app.rng.choice(lists)
    mode = app.rng.choice(["terminated", "continue-on-error", "remove-abnormal-output"])
    node = app.node("iteration", {
        "iterator_selector": selector, "output_selector": [], "output_type": "array[string]", "start_node_id": "",
        "is_parallel": False, "parallel_nums": 10, "error_handle_mode": mode, "flatten_output": app.rng.random() < 0.5,
    })
    data = app.nodes[-1]["data"]
    app.use(f"iteration {mode}")
    app.edge(before, node)
    around, app.scope = list(app.scope), [*app.scope, ([node, "item"], kind[6:-1]), ([node, "index"], "number")]
    app.level = node
    start = app.node("iteration-start", {}, node + "start")
    app.nodes[-1]["type"] = "custom-iteration-start"
    last = app.rng.choice([nodes.template, nodes.llm])(app)
    app.edge(start, last)
    if app.rng.random() < 0.3:
        after = nodes.template(app)
        app.edge(last, after)
        last = after
    if app.rng.random() < 0.2 and app.nodes[-1]["data"]["type"] == "template-transform":
        app.nodes[-1]["data"]["template"] = "{{ 1 // 0 }}"
        app.use("failing round")
    app.level, app.scope = None, around
    data["start_node_id"] = start
    data["output_selector"] = [last, "text" if last.startswith("ll") else "output"]
    app.provide(node, "output", "array[string]")
    return node


def failing(app, before, upstream):
    """A node that fails, with the branch that follows then; both branches join."""
    kind = app.rng.choice(["http", "llm", "template"])
    if kind == "http":
        node = nodes.http(app, upstream)
        app.nodes[-1]["data"]["url"] = upstream + app.rng.choice(["/status/404", "/status/500", "/echo"])
    elif kind == "llm":
        node = nodes.llm(app)
        app.nodes[-1]["data"]["prompt_template"][1]["text"] = app.rng.choice(["STATUS<<500>>", "REPLY<<fine>>"])
    else:
        node = nodes.template(app)
        app.nodes[-1]["data"]["template"] = app.rng.choice(["{{ 1 // 0 }}", "fine"])
    app.nodes[-1]["data"]["error_strategy"] = "fail-branch"
    app.use(f"fail-branch {kind}")
    app.edge(before, node)
    around = list(app.scope)
    app.provide(node, "error_message", "string")
    app.provide(node, "error_type", "string")
    sorry = nodes.template(app)
    app.nodes[-1]["data"].update(template="{{ t }}: {{ m }}", variables=[
        {"variable": "t", "value_selector": [node, "error_type"]}, {"variable": "m", "value_selector": [node, "error_message"]},
    ])
    app.edge(node, sorry, "fail-branch")
    app.scope = around
    fine = nodes.template(app)
    app.edge(node, fine)
    app.scope = list(around)
    join = nodes.aggregator(app, [[sorry, "output"], [fine, "output"]], "string")
    app.edge(sorry, join)
    app.edge(fine, join)
    return join


def nodes_after(app, before, node):
    app.edge(before, node)
    return node


SHAPES = [branches, branches, parallel, iteration, iteration, failing, failing]
