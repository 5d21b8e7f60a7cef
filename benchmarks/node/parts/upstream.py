"""An application that costs nothing: `upstream.py PORT` says the same to every request."""

import asyncio
import sys

import uvloop

BODY = b"x" * 1024
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nServer: nobody\r\nContent-Length: 1024\r\n\r\n"
)


class Answering(asyncio.Protocol):
    """One connection; requests come one at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self.transport, self.seen, self.wants = transport, b"", -1

    def data_received(self, data: bytes) -> None:
        """Answer when all of a request is here."""
        self.seen += data
        end = self.seen.find(b"\r\n\r\n")
        if end < 0:
            return
        if self.seen.startswith(b"POST") and not self.whole(end + 4):
            return
        self.seen = b""
        self.transport.write(HEAD + BODY)  # type: ignore[attr-defined]

    def whole(self, begin: int) -> bool:
        """Whether the body is here."""
        head = self.seen[:begin].lower()
        if b"chunked" in head:
            return self.seen.endswith(b"0\r\n\r\n")
        _, _, rest = head.partition(b"content-length:")
        return len(self.seen) - begin >= int(rest.partition(b"\r\n")[0])


async def main(port: int) -> None:
    """Listen for ever."""
    server = await asyncio.get_running_loop().create_server(
        Answering, "127.0.0.1", port, reuse_address=True
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
