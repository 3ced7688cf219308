"""A stand-in of a collector that accepts and drops what it gets, as OTLP in protobuf over HTTP: `collector.py PORT`.

`GET /received` returns the bytes of each signal."""

import json
import sys

from stand_in import serve

received = {"traces": 0, "metrics": 0}


async def respond(method, path, body):
    if method != "POST":
        return "application/json", json.dumps(received).encode()
    received[path.rsplit("/", 1)[1]] += len(body)
    # The answer without a field accepts everything.
    return "application/x-protobuf", b""


serve(int(sys.argv[1]), respond)
