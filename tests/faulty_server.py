"""A web server on this machine that serves a folder and misbehaves as told."""

from __future__ import annotations

import socket
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Faults:
    """What the server does wrong, by the first folder of the address, e.g. `/cuts/archive.tar`.

    good: nothing · cuts: half of what is asked for, then the connection ends · cuts_at_half: every time at the file's
    half, and no Range · hangs: half, then nothing · stalls: nothing at all · no_range: answers 200 to a Range ·
    wrong_part: a Range from the beginning · wrong_byte · short · long: Content-Length too large · missing: 404 ·
    broken: 500 · broken_once · page: a web page · changed: another ETag each time.
    """

    url: str
    requests: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The Range header ("" for none) of every request, by fault."""

    def address(self, fault: str, name: str) -> str:
        return f"{self.url}/{fault}/{name}"


@contextmanager
def serving(folder: Path) -> Iterator[Faults]:
    """Serve the files of `folder` under every fault for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            fault, _, name = self.path.lstrip("/").partition("/")
            asked = self.headers.get("Range", "")
            faults.requests[fault].append(asked)
            number = len(faults.requests[fault])
            if fault == "missing" or not (folder / name).is_file():
                return self.send_error(404)
            if fault == "broken" or (fault == "broken_once" and number == 1):
                return self.send_error(500)
            self.close_connection |= fault in ("stalls", "cuts", "changed", "cuts_at_half", "long", "hangs")
            if fault == "stalls":
                stopping.wait(30)
                return None
            content = (folder / name).read_bytes()
            if fault == "wrong_byte":
                content = content[:-1] + bytes([content[-1] ^ 1])
            if fault == "short":
                content = content[:-7]
            validator = f'"{number}"' if fault == "changed" else '"1"'
            same = self.headers.get("If-Range", validator) == validator
            ranged = asked and same and fault not in ("no_range", "cuts_at_half")
            start = int(asked.removeprefix("bytes=").rstrip("-")) if ranged else 0
            if start >= len(content) > 0:
                self.answer(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": 0})
                return None
            told = 206 if start or fault == "wrong_part" else 200
            body = content[0 if fault == "wrong_part" else start :]
            headers = {
                "Content-Type": "text/html" if fault == "page" else "application/octet-stream",
                "ETag": validator,
                "Content-Length": len(body) + (100 if fault == "long" else 0),
            }
            if told == 206:
                headers["Content-Range"] = f"bytes {len(content) - len(body)}-{len(content) - 1}/{len(content)}"
            self.answer(told, headers)
            half = fault in ("cuts_at_half", "hangs") or (fault in ("cuts", "changed") and len(body) > 1000)
            self.wfile.write(body[: len(body) // 2] if half else body)
            if fault == "hangs":
                stopping.wait(30)
            return None

        def answer(self, status: int, headers: Mapping[str, object]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, str(value))
            self.end_headers()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
            pass  # a client that goes away is no error of the server's

    stopping = threading.Event()
    server = Server(("127.0.0.1", 0), Handler)
    faults = Faults(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield faults
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
