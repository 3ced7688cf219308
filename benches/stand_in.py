"""A small HTTP server that stands in for another system."""

import asyncio


def serve(port, respond):
    """Serves until the process ends. `respond(method, path, body)` returns the content type and the body."""

    async def answer(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0)
            method, path, _ = head.decode().split(" ", 2)
            kind, body = await respond(method, path, await reader.readexactly(length))
            lines = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(lines.encode() + body)
            await writer.drain()

    async def connected(reader, writer):
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main():
        server = await asyncio.start_server(connected, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(main())
