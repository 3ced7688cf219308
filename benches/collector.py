"""A stand-in of a collector that accepts and drops what it gets, as OTLP in protobuf over HTTP: `collector.py PORT`.

`GET /received` returns the bytes of each signal."""

import asyncio
import json
import sys

received = {"traces": 0, "metrics": 0}


async def answer(reader, writer):
    while head := await reader.readuntil(b"\r\n\r\n"):
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0)
        await reader.readexactly(length)
        if head.startswith(b"POST"):
            # The answer without a field accepts everything.
            received[head.split(b" ", 2)[1].rsplit(b"/", 1)[1].decode()] += length
            kind, body = b"application/x-protobuf", b""
        else:
            kind, body = b"application/json", json.dumps(received).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n" % (kind, len(body)) + body)
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
