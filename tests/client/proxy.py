"""A proxy in front of a real server, which fails in the ways of a network."""

import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Exchange:
    """A request that arrived at the proxy."""

    client: socket.socket
    request: bytes
    server: tuple[str, int]
    at: float = field(default_factory=time.monotonic)

    def header(self, name: str) -> str | None:
        """The value of a header of the request."""
        for line in self.request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
            key, _, value = line.decode().partition(": ")
            if key.lower() == name.lower():
                return value
        return None

    def forward(self, request: bytes | None = None) -> bytes:
        """Sends the request to the server, and returns the whole response."""
        whole = (request or self.request).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        with socket.create_connection(self.server, timeout=60) as server:
            server.sendall(whole)
            if len(request or self.request) < len(self.request):
                return b""
            return b"".join(iter(lambda: server.recv(65536), b""))


Fault = Callable[[Exchange], None]


def closes_before_the_server(exchange: Exchange) -> None:
    """The request does not arrive."""


def sends_half_of_the_request(exchange: Exchange) -> None:
    exchange.forward(exchange.request[:-10])


def closes_before_the_response(exchange: Exchange) -> None:
    exchange.forward()


def closes_in_the_head_of_the_response(exchange: Exchange) -> None:
    exchange.client.sendall(exchange.forward()[:40])


def closes_in_the_body_of_the_response(exchange: Exchange) -> None:
    exchange.client.sendall(exchange.forward()[:-10])


def sends_no_response(exchange: Exchange) -> None:
    exchange.forward()
    exchange.client.recv(1)  # returns when the client closes


def answers(status: int, code: str | None = None, *, is_forwarded: bool = False, retry_after: str = "0") -> Fault:
    """Answers a problem, or without a code a page of HTML, after the request was forwarded or instead."""

    def fault(exchange: Exchange) -> None:
        if is_forwarded:
            exchange.forward()
        body = json.dumps({"code": code, "detail": "Try again.", "errors": []}).encode() if code else b"<h1>No.</h1>"
        kind = "application/problem+json" if code else "text/html"
        wait = f"Retry-After: {retry_after}\r\n" if status in (429, 503) else ""
        head = f"HTTP/1.1 {status} No\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{wait}"
        head += "Connection: close\r\n\r\n"
        exchange.client.sendall(head.encode() + body)

    fault.__name__ = f"answers_{status}_{code}_{is_forwarded}"
    return fault


@dataclass
class Proxy:
    """A running proxy. Each request takes the next fault; after the last one, requests pass."""

    base: str
    faults: list[Fault] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)


@contextmanager
def running(server: str) -> Iterator[Proxy]:
    """Runs a proxy before the server at this address."""
    place = urlsplit(server)
    assert place.hostname is not None
    assert place.port is not None
    upstream = (place.hostname, place.port)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(60)
            received = b""
            while b"\r\n\r\n" not in received:
                chunk = self.request.recv(65536)
                if not chunk:
                    return
                received += chunk
            exchange = Exchange(self.request, received, upstream)
            missing = int(exchange.header("Content-Length") or 0) - len(received.partition(b"\r\n\r\n")[2])
            while missing > 0:
                chunk = self.request.recv(missing)
                exchange.request += chunk
                missing -= len(chunk)
            proxy.exchanges.append(exchange)
            if proxy.faults:
                proxy.faults.pop(0)(exchange)
            else:
                self.request.sendall(exchange.forward())

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Listener(("127.0.0.1", 0), Handler) as listener:
        proxy = Proxy(f"http://127.0.0.1:{listener.server_address[1]}")
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown()
            thread.join()
