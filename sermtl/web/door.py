"""What may come in: the requests that the page makes, and no more of each than it needs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sermtl.web.keeping import used

# Gradio answers much else, of which some runs ffmpeg, or fetches from other hosts.
SHOWN = re.compile(
    r"/(|config/?|theme\.css|favicon\.ico|manifest\.json|robots\.txt|(static|assets|svelte)/.*"
    r"|gradio_api/(startup-events|heartbeat/\w+|queue/data|upload_progress|theme\.css"
    r"|file=(?!\w+:).+))"
)
TAKEN = re.compile(r"/gradio_api/(upload|queue/join|cancel|reset/?)")
UPLOAD = "/gradio_api/upload"
ROOM = 50
ASKING = 1 << 20  # bytes of a request that is no upload, and of what is around a file in one
ELSEWHERE = re.compile(r"\s*\w+:", re.ASCII)  # http:, file:, data: ...


class Door:
    """ASGI middleware.

    Args:
        app: what is behind it.
        max_bytes: of an upload.
        folder: where uploads are kept; with ``ROOM`` times as much in it, no more are taken.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, folder: Path) -> None:
        self.app, self.max_bytes, self.folder = app, max_bytes, folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        allowed = {"GET": SHOWN, "HEAD": SHOWN, "POST": TAKEN}.get(method)
        if allowed is None or not allowed.fullmatch(path):
            await PlainTextResponse("not here", 404)(scope, receive, send)
            return
        limit = ASKING + (self.max_bytes if path == UPLOAD else 0)
        length = Request(scope).headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            await self._refuse_size(scope, receive, send)
            return
        if path == UPLOAD and used(self.folder) > ROOM * self.max_bytes:
            text = "too many recordings at once: try again in some minutes"
            await PlainTextResponse(text, 503)(scope, receive, send)
            return
        if path == UPLOAD or method != "POST":
            await self.app(scope, _counted(receive, limit), send)
            return
        body = b""
        async for chunk in Request(scope, receive).stream():
            body += chunk
            if len(body) > limit:
                await self._refuse_size(scope, receive, send)
                return
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            await PlainTextResponse("no JSON", 400)(scope, receive, send)
            return
        if any(ELSEWHERE.match(path) for path in _paths(asked)):
            await PlainTextResponse("only what was uploaded", 400)(scope, receive, send)
            return
        await self.app(scope, _replayed(body, receive), send)

    async def _refuse_size(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = f"at most {self.max_bytes / 1e6:g} MB are taken"
        await PlainTextResponse(text, 413, {"connection": "close"})(scope, receive, send)


def _paths(asked: dict[str, Any]) -> Iterator[str]:
    """Of files that a request names."""
    waiting: list[Any] = [asked]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(path := value.get("path"), str):
                yield path
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _counted(receive: Receive, limit: int) -> Receive:
    """As if the visitor had gone when more comes than may, whatever was announced."""
    left = limit

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return counted


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
