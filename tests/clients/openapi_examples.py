"""Reads the OpenAPI document from a line of standard input and says how many examples fit their schemas, and each place that lacks one."""

import json
import sys

from jsonschema import Draft202012Validator

document = json.loads(sys.stdin.readline())
components = document["components"]
fit, wrong = 0, []


def look(place, content):
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
            look(f"{verb} {path} {status}", response["content"])
        look(f"{verb} {path}", operation.get("requestBody", {}).get("content", {}))
        for parameter in operation["parameters"]:
            look(f"{verb} {path} {parameter['name']}", {"parameter": parameter})

print(json.dumps({"fit": fit, "wrong": wrong}))
