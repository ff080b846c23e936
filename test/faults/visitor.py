"""Somebody who asks a running ``sermtl serve`` for things by plain HTTP."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import httpx

PATIENCE = 120.0  # seconds; the machine may be busy


class Visitor:
    """A client with a session of its own.

    Args:
        address: of the page.
    """

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, timeout=PATIENCE, trust_env=False)
        self.session = uuid.uuid4().hex
        config = self.http.get("/config").json()
        self.button = next(d["id"] for d in config["dependencies"] if d["api_name"] == "answer")

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def upload(self, *files: tuple[str, bytes]) -> httpx.Response:
        """Names and contents."""
        parts = [("files", (name, content, "audio/wav")) for name, content in files]
        return self.http.post("/gradio_api/upload", files=parts)

    def send(self, path: Path) -> dict[str, Any]:
        """What the page says of an uploaded file to the server."""
        answer = self.upload((path.name, path.read_bytes()))
        answer.raise_for_status()
        return {
            "path": answer.json()[0],
            "orig_name": path.name,
            "meta": {"_type": "gradio.FileData"},
        }

    def join(self, data: object, **changes: object) -> httpx.Response:
        """Press the button."""
        body = {"data": data, "fn_index": self.button, "session_hash": self.session}
        return self.http.post("/gradio_api/queue/join", json={**body, **changes})

    def outcome(self) -> dict[str, Any]:
        """Of what was asked for last, when it is there."""
        address = f"/gradio_api/queue/data?session_hash={self.session}"
        with self.http.stream("GET", address) as events:
            for line in events.iter_lines():
                if line.startswith("data:"):
                    event = json.loads(line[5:])
                    if event["msg"] in ("process_completed", "unexpected_error"):
                        return event
        raise AssertionError("the server hung up")

    def recognise(self, path: Path, window: float = 30) -> dict[str, float] | str:
        """Probabilities by emotion, or why there are none."""
        joined = self.join([self.send(path), None, window])
        joined.raise_for_status()
        return told(self.outcome())


def told(event: dict[str, Any]) -> dict[str, float] | str:
    """What an event says: probabilities by emotion, or a message."""
    if not event.get("success", False):
        return str(event.get("output") or event)
    message, *others = event["output"]["data"]
    if message.get("visible"):
        return message["value"]
    bars = next(u["value"] for u in others if isinstance(u, dict) and "confidences" in str(u))
    return {bar["label"]: bar["confidence"] for bar in bars["confidences"]}
