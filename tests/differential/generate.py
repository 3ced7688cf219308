"""Prints generated cases, one JSON object a line: `{"name", "features", "ordered", "dsl", "turns"}`.

    generate.py SEED COUNT UPSTREAM

The same seed gives the same cases, whatever the count; case N of seed S is called `S-N`. `features` names what the graph has, and
`ordered` says whether its nodes run one after the other.
"""

import json
import random
import sys

from generator import nodes, shapes, values
from generator.graph import App


def case(seed, number, upstream):
    rng = random.Random(f"{seed}-{number}")
    app = App(rng, rng.choice(["workflow", "advanced-chat"]))
    app.typed_variables(rng.randrange(0, 6))
    before = app.start(rng.randrange(0, 4))
    if app.mode == "advanced-chat":
        app.scope += [(["sys", "query"], "string"), (["sys", "dialogue_count"], "number")]
    for _ in range(rng.randrange(1, 4)):
        if rng.random() < 0.5:
            before = rng.choice(shapes.SHAPES)(app, before, upstream)
        else:
            before = shapes.chain(app, before, rng.randrange(1, 3), upstream)
        if app.mode == "advanced-chat" and rng.random() < 0.3:
            before = shapes.nodes_after(app, before, nodes.answer(app))
    last = nodes.answer(app) if app.mode == "advanced-chat" else nodes.end(app)
    app.edge(before, last)
    turns = [{"inputs": app.inputs}]
    if app.mode == "advanced-chat":
        count = 3 if "memory" in app.features or "assigner" in app.features else 1
        turns = [{"inputs": app.inputs, "query": rng.choice(values.TEXTS[2:]) or "?"} for _ in range(count)]
    rng.shuffle(app.nodes)
    return {
        "name": f"{seed}-{number}", "features": sorted(app.features), "ordered": app.ordered,
        "dsl": app.dsl(f"case {seed}-{number}"), "turns": turns,
    }


def main():
    seed, count, upstream = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    for number in range(count):
        print(json.dumps(case(seed, number, upstream)))


if __name__ == "__main__":
    main()
