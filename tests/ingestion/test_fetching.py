"""The lines to copy of every source: a shell takes them, and what they fetch and send is read."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from ingestion import fetching, snippets
from ingestion.kinds import KINDS
from ingestion.sources import registry
from ingestion.sources.base import Context

DAY = datetime(2026, 10, 1, tzinfo=UTC)
FETCHED = (
    "litellm",
    "anthropic_usage",
    "openrouter",
    "langfuse",
    "openai_usage",
    "aws_cur2",
    "azure_cost",
    "gcp_billing",
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_lines_that_a_shell_takes(kind: str) -> None:
    found = snippets.snippets(kind, "https://ledger.example", "acme", "a name")

    assert found
    for each in found:
        if each.tab in ("Shell", "GitHub Copilot", "curl", "Command line"):
            checked = subprocess.run(["bash", "-n"], input=each.code, text=True, capture_output=True, check=False)
            assert checked.returncode == 0, checked.stderr
        for program in re.findall(r"<<'END'\n(import .*?)\nEND\n", each.code, re.DOTALL):
            compile(program, each.tab, "exec")


@pytest.mark.parametrize("kind", [*FETCHED, "assistant_seats"])
def test_what_a_provider_holds_is_fetched_and_sent(kind: str) -> None:
    (first, *_more) = fetching.fetched(kind, "https://ledger.example", "wl_secret")

    assert f"-F source={kind}" in first.code
    assert "wl_secret" in first.code


class Stub(BaseHTTPRequestHandler):
    """A provider with two pages of usage, and the door that takes them."""

    asked: list[str]
    sent: list[bytes]
    pages: list[Any]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.answer(self.pages[1 if "page=second" in self.path else 0])

    def do_POST(self) -> None:
        self.sent.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer({"batch": "1"})

    def answer(self, body: Any) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[tuple[str, type[Stub]]]:
    class Own(Stub):
        asked: list[str] = []  # noqa: RUF012  # of this test alone
        sent: list[bytes] = []  # noqa: RUF012

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Own
    server.shutdown()
    server.server_close()


def result(project: str) -> dict[str, Any]:
    return {
        "object": "organization.usage.completions.result",
        "input_tokens": 10,
        "output_tokens": 5,
        "input_cached_tokens": 0,
        "num_model_requests": 1,
        "project_id": project,
        "model": "gpt-4o-2024-11-20",
        "batch": False,
    }


def test_all_pages_of_openai_are_fetched_and_sent_as_one_file(provider: tuple[str, type[Stub]], tmp_path: Path) -> None:
    address, stub = provider
    begin = int(DAY.timestamp())
    stub.pages = [
        {
            "object": "page",
            "data": [
                {"object": "bucket", "start_time": at, "end_time": at + 3600, "results": [result(f"proj_{number}")]}
            ],
            "has_more": number == 0,
            "next_page": "second" if number == 0 else None,
        }
        for number, at in enumerate((begin, begin + 3600))
    ]
    (shell,) = fetching.fetched("openai_usage", address, "wl_secret")

    lines = shell.code.replace("https://api.openai.com", address)
    environment = {"OPENAI_ADMIN_KEY": "key", "PATH": "/usr/bin:/bin"}
    subprocess.run(
        ["bash", "-e"], input=lines, text=True, cwd=tmp_path, env=environment, check=True, capture_output=True
    )

    assert "group_by%5B%5D=model" in stub.asked[0]
    assert len(stub.asked) == 2
    (sent,) = stub.sent
    assert b'name="source"\r\n\r\nopenai_usage' in sent
    content = (tmp_path / "usage.json").read_bytes()
    assert content in sent
    adapter = registry.adapter("openai_usage")
    context = Context(received_at=datetime(2026, 10, 3, tzinfo=UTC), setting={}, defaults={}, filename="usage.json")
    chunks = list(adapter.parse(BytesIO(content), context))
    assert sum(len(chunk.activity) for chunk in chunks) == 2


def test_the_template_of_seats_is_read_as_it_is() -> None:
    adapter = registry.adapter("assistant_seats")
    context = Context(received_at=datetime(2026, 11, 3, tzinfo=UTC), setting={}, defaults={}, filename="seats.csv")

    chunks = list(adapter.parse(BytesIO(fetching.seats_template().encode()), context))

    assert sum(float(chunk.activity["seat_months"].sum()) for chunk in chunks) == 110 + 24 - 4
    assert not [each for chunk in chunks for each in chunk.rejected]
