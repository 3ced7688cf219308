"""The token endpoint of a provider that answers late: `token_endpoint.py PORT SECONDS EXPIRES_IN`.

Refresh tokens rotate. `GET /refreshes` returns the number of refreshes."""

import asyncio
import itertools
import json
import sys
from urllib.parse import parse_qs

DELAY, EXPIRES_IN = float(sys.argv[2]), int(sys.argv[3])
numbers, refreshes = itertools.count(), 0


async def answer(reader, writer):
    global refreshes
    while head := await reader.readuntil(b"\r\n\r\n"):
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0)
        form = parse_qs((await reader.readexactly(length)).decode())
        if head.startswith(b"POST"):
            await asyncio.sleep(DELAY)
            refreshes += form["grant_type"] == ["refresh_token"]
            number = next(numbers)
            body = {"access_token": f"a{number}", "refresh_token": f"r{number}", "expires_in": EXPIRES_IN, "token_type": "Bearer"}
        else:
            body = refreshes
        text = json.dumps(body).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(text) + text)
        await writer.drain()


async def connected(reader, writer):
    try:
        await answer(reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    server = await asyncio.start_server(connected, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
