"""Builds the graph of an app as Dify's editor writes it, and keeps track of what its nodes can refer to."""

import yaml

from . import values


class Text(str):
    """A text that is written with quotation marks whatever it looks like."""


yaml.SafeDumper.add_representer(Text, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


class App:
    def __init__(self, rng, mode):
        self.rng, self.mode = rng, mode
        self.nodes, self.edges, self.features = [], [], set()
        self.environment, self.conversation, self.inputs = [], [], {}
        # What a node can refer to: (selector, type).
        self.scope = []
        self.ordered = True
        self.level = None

    def use(self, *features):
        self.features.update(features)

    def node(self, kind, data, identifier=None):
        identifier = identifier or f"{kind[:2].replace('-', 'x')}{len(self.nodes)}"
        title = f"{kind} {len(self.nodes)}"
        node = {"id": identifier, "type": "custom", "data": {"type": kind, "title": title, "desc": "", "selected": False, **data}}
        node["position"] = {"x": 80 * len(self.nodes), "y": 200}
        if self.level:
            node["parentId"] = self.level
            node["data"].update(iteration_id=self.level, isInIteration=True)
        self.nodes.append(node)
        self.use(kind)
        return identifier

    def edge(self, source, target, handle="source"):
        self.edges.append({
            "id": f"{source}-{handle}-{target}", "source": source, "target": target, "sourceHandle": handle,
            "targetHandle": "target", "type": "custom", "data": {"isInIteration": bool(self.level)},
        })

    def provide(self, node, name, kind):
        self.scope.append(([node, name], kind))

    def selector(self, *kinds):
        """A reference to something of one of these types, or to anything."""
        fitting = [selector for selector, kind in self.scope if not kinds or kind in kinds]
        return list(self.rng.choice(fitting)) if fitting else None

    def reference(self, *kinds):
        selector = self.selector(*kinds)
        return "{{#" + ".".join(selector) + "#}}" if selector else ""

    def variable(self, group, name, kind, value):
        scope = {"environment": "env", "conversation": "conversation"}[group]
        getattr(self, group).append({
            "id": f"{scope}-{name}", "name": name, "value_type": kind, "value": value, "description": "",
            "selector": [scope, name],
        })
        self.scope.append(([scope, name], kind))

    def constant(self):
        """A reference to a text that every app can have."""
        if all(variable["name"] != "constant" for variable in self.environment):
            scope = self.scope
            self.scope = []
            self.variable("environment", "constant", "string", "plain words")
            self.scope = scope
        return ["env", "constant"]

    def typed_variables(self, count):
        for number in range(count):
            kind = self.rng.choice(list(values.TYPES))
            group = "environment" if kind in ("string", "number") and self.rng.random() < 0.3 else "conversation"
            self.variable(group, f"v{number}", kind, values.value(self.rng, kind))

    def start(self, count):
        fields = []
        for number in range(count):
            name = f"i{number}"
            kind = self.rng.choice(["text-input", "paragraph", "number", "select"])
            field = {"variable": name, "label": name, "type": kind, "required": False, "max_length": 4800, "options": []}
            if kind == "number":
                self.inputs[name] = self.rng.choice(values.NUMBERS)
            elif kind == "select":
                field["options"] = ["a", "b", "plain words"]
                self.inputs[name] = self.rng.choice(field["options"])
            else:
                self.inputs[name] = values.value(self.rng, "string")
            fields.append(field)
        start = self.node("start", {"variables": fields}, "s")
        for field in fields:
            self.provide(start, field["variable"], "number" if field["type"] == "number" else "string")
        return start

    def dsl(self, name, version="0.6.0"):
        document = {
            "app": {"name": name, "mode": self.mode, "description": "", "icon": "x", "icon_background": "#fff"},
            "kind": "app",
            "version": version,
            "workflow": {
                "conversation_variables": self.conversation, "environment_variables": self.environment, "features": {},
                "graph": {"nodes": self.nodes, "edges": self.edges, "viewport": {"x": 0, "y": 0, "zoom": 1}},
            },
        }
        return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)
