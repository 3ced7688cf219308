"""Reads the OpenAPI document from a line of standard input. Prints the number of valid examples, and every
invalid or missing one."""

import json
import sys

from jsonschema import Draft202012Validator

document = json.loads(sys.stdin.readline())
components = document["components"]
fit, wrong = 0, []


def check(place, content):
    global fit
    for kind, media in content.items():
        examples = [example["value"] for example in media.get("examples", {}).values()]
        if "example" in media:
            examples.append(media["example"])
        if not examples:
            wrong.append(f"{place} {kind}: no example")
        validator = Draft202012Validator({**media["schema"], "components": components})
        for example in examples:
            faults = [fault.message for fault in validator.iter_errors(example)]
            wrong.extend(f"{place} {kind}: {fault}" for fault in faults)
            fit += not faults


for path, operations in document["paths"].items():
    for verb, operation in operations.items():
        for status, response in operation["responses"].items():
            check(f"{verb} {path} {status}", response.get("content", {}))
        check(f"{verb} {path}", operation.get("requestBody", {}).get("content", {}))
        for parameter in operation["parameters"]:
            check(f"{verb} {path} {parameter['name']}", {"parameter": parameter})

print(json.dumps({"fit": fit, "wrong": wrong}))
