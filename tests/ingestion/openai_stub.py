"""A server that speaks as much of OpenAI's API as clients under instrumentation need, on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHAT = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
STREAMED = {"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 57}
EMBEDDED = {"prompt_tokens": 16, "total_tokens": 16}


class Handler(BaseHTTPRequestHandler):
    """Answers chats (whole and streamed) and embeddings; the model `busy` is always over its limit."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # the name is http.server's
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["model"] == "busy":
            self.answer({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}, 429)
        elif self.path.endswith("/embeddings"):
            data = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
            self.answer({"object": "list", "model": asked["model"], "data": data, "usage": EMBEDDED})
        elif asked.get("stream"):
            self.stream(asked)
        else:
            message = {"role": "assistant", "content": "a confidential answer"}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            self.answer(self.chat(asked, "chat.completion", choices) | {"usage": CHAT})

    def chat(self, asked: dict[str, Any], kind: str, choices: list[Any]) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": asked["model"], "choices": choices}

    def stream(self, asked: dict[str, Any]) -> None:
        chunks = []
        for delta, reason in (
            ({"role": "assistant", "content": "a confidential"}, None),
            ({"content": " answer"}, "stop"),
        ):
            choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
            chunks.append(self.chat(asked, "chat.completion.chunk", choices))
        if (asked.get("stream_options") or {}).get("include_usage"):
            chunks.append(self.chat(asked, "chat.completion.chunk", []) | {"usage": STREAMED})
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        self.send("".join([*lines, "data: [DONE]\n\n"]).encode(), "text/event-stream")

    def answer(self, content: dict[str, Any], status: int = 200) -> None:
        self.send(json.dumps(content).encode(), "application/json", status)

    def send(self, content: bytes, content_type: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  # the name is http.server's
        """Say nothing."""


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler] = Handler) -> Iterator[str]:
    """Run the server; give its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
