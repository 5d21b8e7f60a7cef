"""Clients: `load.py PORT METHOD CONNECTIONS SECONDS`; prints what they got as JSON.

Each connection is kept and asks again as soon as it was answered, without a retry.
"""

import asyncio
import json
import sys
import time

import uvloop

HOST = "bench-demo.localhost"
WARM = 0.5  # seconds that do not count


def request(method: str) -> bytes:
    """As a browser asks."""
    body = b"x" * 1024 if method == "POST" else b""
    lines = [
        f"{method} /some/path?with=query HTTP/1.1",
        f"Host: {HOST}",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) windlass-bench",
        "Accept: text/html,application/xhtml+xml,*/*;q=0.8",
        "Accept-Language: en",
        "Accept-Encoding: gzip, deflate",
        "Cookie: session=0123456789abcdef0123456789abcdef",
    ]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Asking(asyncio.Protocol):
    """One connection."""

    def __init__(self, ask: bytes, seen: dict[str, int]) -> None:
        self.ask, self.seen, self.left, self.head = ask, seen, 0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self.transport = transport
        transport.write(self.ask)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Ask again when the answer is whole: it is of a known length."""
        if not self.left:
            self.head += data
            head, end, body = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            self.status = head[9:12].decode()
            low = head.lower()
            if b"content-length:" in low:
                length = int(low.partition(b"content-length:")[2].partition(b"\r\n")[0])
            else:
                raise SystemExit("an answer without a length")
            self.head, self.left = b"", length - len(body)
        else:
            self.left -= len(data)
        if not self.left:
            self.seen[self.status] = self.seen.get(self.status, 0) + 1
            self.transport.write(self.ask)  # type: ignore[attr-defined]

    def connection_lost(self, error: Exception | None) -> None:
        """A lost connection is a lost request."""
        self.seen["lost"] = self.seen.get("lost", 0) + 1


async def main(port: int, method: str, connections: int, seconds: float) -> None:
    """Ask for so long."""
    loop = asyncio.get_running_loop()
    seen: dict[str, int] = {}
    for _ in range(connections):
        await loop.create_connection(lambda: Asking(request(method), seen), "127.0.0.1", port)
    await asyncio.sleep(WARM)
    before, began = dict(seen), time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    counted = {status: n - before.get(status, 0) for status, n in seen.items()}
    print(json.dumps({"seconds": took, "answers": counted, "all": sum(seen.values())}))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
