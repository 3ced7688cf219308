"""The token endpoint of a provider that answers late: `token_endpoint.py PORT SECONDS EXPIRES_IN`.

Refresh tokens rotate. `GET /refreshes` returns the number of refreshes."""

import asyncio
import itertools
import json
import sys
from urllib.parse import parse_qs

from stand_in import serve

DELAY, EXPIRES_IN = float(sys.argv[2]), int(sys.argv[3])
numbers, refreshes = itertools.count(), 0


async def respond(method, path, body):
    global refreshes
    if method != "POST":
        return "application/json", json.dumps(refreshes).encode()
    form = parse_qs(body.decode())
    await asyncio.sleep(DELAY)
    refreshes += form["grant_type"] == ["refresh_token"]
    number = next(numbers)
    tokens = {"access_token": f"a{number}", "refresh_token": f"r{number}", "expires_in": EXPIRES_IN, "token_type": "Bearer"}
    return "application/json", json.dumps(tokens).encode()


serve(int(sys.argv[1]), respond)
