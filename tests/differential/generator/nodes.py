"""Nodes with random data. Each function adds one node to the app, provides its outputs, and returns its id."""

import json

from . import values

TEXT_OPERATORS = ["contains", "not contains", "start with", "end with", "is", "is not", "empty", "not empty", "in", "not in"]
NUMBER_OPERATORS = ["=", "≠", ">", "<", "≥", "≤", "null", "not null"]
LIST_OPERATORS = ["contains", "not contains", "empty", "not empty"]
TEMPLATES = [
    "{{ a }}", "{{ a }}-{{ b }}", "{{ a|upper }}", "{% if a %}yes{% else %}no{% endif %}", "{{ a is none }}", "{{ a|string|length }}",
    "{{ a|default('d') }}", "{{ [a, b]|join(',') }}", "{% for x in [1, 2] %}{{ loop.index }}:{{ x }} {% endfor %}", "{{ a == b }}",
    "{% set c = a %}{{ c }}", "{{ a|string|trim|replace('a', 'o') }}", "{# no #}x\n{{ b }}\n", "{{ a|e }}", "plain", "",
    "{{ missing }}|{{ a }}", "{% for k in a %}{{ k }};{% endfor %}", "{{ a|tojson }}",
]
MODEL = {"provider": "langgenius/openai/openai", "name": "gpt-x", "mode": "chat"}


def literal(app):
    """A text with references in it."""
    parts = [app.rng.choice(["", "To: ", "a {} b", "\n", "{{ x }}", "→ "])]
    for _ in range(app.rng.randrange(3)):
        parts += [app.reference(), app.rng.choice([" ", "\n", ", ", " {{#nowhere.x#}} " if app.rng.random() < 0.1 else " "])]
    text = "".join(parts)
    if "nowhere" in text:
        app.use("reference to nothing")
    return text


def template(app):
    variables = [{"variable": name, "value_selector": app.selector() or ["s", "none"]} for name in ("a", "b")]
    source = app.rng.choice(TEMPLATES)
    app.use(f"template {source}")
    node = app.node("template-transform", {"template": source, "variables": variables})
    app.provide(node, "output", "string")
    return node


def llm(app):
    parts = [
        {"id": "1", "role": "system", "text": literal(app)}, {"id": "2", "role": "user", "text": "Q: " + literal(app)},
    ]
    if app.rng.random() < 0.3:
        parts[1]["text"] = f"REPLY<<{app.rng.choice(values.TEXTS)}>> {literal(app)}"
    if app.rng.random() < 0.1:
        parts[1]["text"] += " FINISH<<length>>"
    parameters = {"temperature": app.rng.choice([0, 0.7, 1])}
    if app.rng.random() < 0.2:
        parameters["stop"] = ["END"]
        parts[1]["text"] = "PARAMETERS<<>>"
        app.use("model parameters")
    data = {
        "model": {**MODEL, "completion_params": parameters}, "prompt_template": parts,
        "context": {"enabled": False, "variable_selector": []}, "vision": {"enabled": False},
    }
    context = app.selector("string", "array[string]")
    if context and app.rng.random() < 0.2:
        data["context"] = {"enabled": True, "variable_selector": context}
        parts[0]["text"] += "\n<{{#context#}}>"
        app.use("context")
    if app.mode == "advanced-chat" and not app.level and app.rng.random() < 0.3:
        size = app.rng.choice([1, 3, 50])
        data["memory"] = {"window": {"enabled": app.rng.random() < 0.5, "size": size}, "query_prompt_template": "{{#sys.query#}}"}
        app.use("memory")
    node = app.node("llm", data)
    app.provide(node, "text", "string")
    return node


def condition(app, number):
    kind = app.rng.choice(["string", "number", "boolean", *values.LISTS])
    selector = app.selector(kind)
    if selector is None:
        kind, selector = "string", app.constant()
    if kind == "string":
        operator = app.rng.choice(TEXT_OPERATORS)
        compared = app.rng.choice([*values.TEXTS[:9], app.reference("string")])
        if operator in ("in", "not in"):
            compared = ["a", "plain words", "b"]
    elif kind == "number":
        operator, compared = app.rng.choice(NUMBER_OPERATORS), str(app.rng.choice(values.NUMBERS))
    elif kind == "boolean":
        operator, compared = app.rng.choice(["is", "is not"]), app.rng.choice([True, False, "true", "false"])
    else:
        operator = app.rng.choice(LIST_OPERATORS)
        compared = app.rng.choice(["a", "b", "1", "", "true"])
    app.use(f"if {kind} {operator}")
    return {
        "id": f"c{number}", "variable_selector": selector, "comparison_operator": operator, "value": compared,
        "varType": kind,
    }


def if_else(app):
    cases = []
    for number in range(app.rng.randrange(1, 3)):
        identifier = "true" if number == 0 else f"case{number}"
        conditions = [condition(app, f"{number}{at}") for at in range(app.rng.randrange(1, 3))]
        cases.append({
            "id": identifier, "case_id": identifier, "logical_operator": app.rng.choice(["and", "or"]), "conditions": conditions,
        })
    node = app.node("if-else", {"cases": cases})
    return node, [case["case_id"] for case in cases] + ["false"]


def aggregator(app, selectors, kind):
    node = app.node("variable-aggregator", {"output_type": kind, "variables": selectors})
    app.provide(node, "output", kind)
    return node


def grouped_aggregator(app):
    groups = []
    for name in ("g1", "g2"):
        kind = app.rng.choice(["string", "number", "object"])
        selectors = [selector for selector in (app.selector(kind), app.selector(kind)) if selector]
        if not selectors:
            continue
        groups.append({"groupId": name, "group_name": name, "output_type": kind, "variables": selectors})
    if not groups:
        return template(app)
    data = {"output_type": "any", "variables": [], "advanced_settings": {"group_enabled": True, "groups": groups}}
    node = app.node("variable-aggregator", data)
    app.use("groups")
    for group in groups:
        app.scope.append(([node, group["group_name"], "output"], group["output_type"]))
    return node


def assigner(app):
    items = []
    for selector, kind in [(s, k) for s, k in app.scope if s[0] == "conversation"][: app.rng.randrange(1, 4)]:
        operations = ["over-write", "clear", "set"]
        if kind == "number":
            operations += ["+=", "-=", "*="]
        if kind.startswith("array"):
            operations = ["over-write", "clear", "append", "extend", "remove-first", "remove-last"]
        operation = app.rng.choice(operations)
        element = kind[6:-1] if kind.startswith("array") else kind
        item = {"variable_selector": selector, "operation": operation, "input_type": "constant", "value": None}
        if operation == "over-write" or operation == "extend":
            item.update(input_type="variable", value=app.selector(kind))
        elif operation == "append":
            item.update(input_type="variable", value=app.selector(element) or app.selector(kind))
        elif operation == "set":
            value = values.value(app.rng, kind)
            item["value"] = json.dumps(value) if kind == "object" else value
        elif operation in ("+=", "-=", "*="):
            item["value"] = app.rng.choice([1, 2, 0.5, 10])
        if operation in ("clear", "remove-first", "remove-last"):
            item["input_type"] = "variable"
        elif item["input_type"] == "variable" and item["value"] is None:
            item.update(operation="clear")
        app.use(f"assign {kind} {item['operation']}")
        items.append(item)
    return app.node("assigner", {"version": "2", "items": items})


def http(app, upstream):
    method = app.rng.choice(["get", "post", "put", "patch", "delete"])
    body = app.rng.choice(["none", "json", "json", "raw-text", "x-www-form-urlencoded", "form-data"])
    path = app.rng.choice(["/echo", "/echo", "/echo", "/json/object", "/json/list", "/text/utf-8", "/text/gbk", "/text/latin-1",
                           "/text/none", "/empty", "/status/404", "/status/503", "/redirect"])
    data, texts = [], {"type": "text", "id": "1", "key": ""}
    if body == "json":
        shape = app.rng.choice(['{"q": "%s"}', '{"q": %s}', '{"a": ["%s"], "n": 1}', "%s", '{"q": "x",}'])
        data = [{**texts, "value": shape.replace("%s", app.reference() or "x")}]
        app.use(f"json body {shape}")
    elif body == "raw-text":
        data = [{**texts, "value": literal(app)}]
    elif body in ("x-www-form-urlencoded", "form-data"):
        data = [{**texts, "id": str(at), "key": f"k{at}", "value": literal(app)} for at in range(2)]
    app.use(f"body {body}", f"path {path}", f"method {method}")
    authorization = {"type": "no-auth", "config": None}
    if app.rng.random() < 0.3:
        kind = app.rng.choice(["basic", "bearer", "custom"])
        authorization = {"type": "api-key", "config": {"type": kind, "api_key": "key-1", "header": "X-Key"}}
        app.use(f"authorization {kind}")
    node = app.node("http-request", {
        "method": method, "url": f"{upstream}{path}", "headers": app.rng.choice(["", "X-One: 1", "X-Two: a b\nX-Three:3"]),
        "params": app.rng.choice(["", "p: 1", f"q:{app.reference('string')}"]), "authorization": authorization,
        "body": {"type": body, "data": data}, "timeout": {"max_connect_timeout": 0, "max_read_timeout": 0, "max_write_timeout": 0},
        "variables": [],
    })
    app.provide(node, "body", "string")
    app.provide(node, "status_code", "number")
    return node


def end(app):
    outputs = []
    for number in range(app.rng.randrange(1, 4)):
        outputs.append({"variable": f"o{number}", "value_selector": app.selector() or ["s", "none"]})
    return app.node("end", {"outputs": outputs})


def answer(app):
    return app.node("answer", {"answer": literal(app) + app.reference(), "variables": []})
