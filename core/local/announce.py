"""What `make run` tells its terminal: one line per event, for people or as JSON."""

import datetime
import json
import sys
import textwrap
from typing import Literal, TextIO

Format = Literal["console", "json"]


class Announcer:
    """Write events as readable lines, or as one JSON object a line when LOG_FORMAT=json."""

    def __init__(self, form: Format = "console", stream: TextIO | None = None) -> None:
        self._form = form
        self._stream = stream or sys.stdout

    def event(self, text: str, **fields: str | float) -> None:
        """Tell one event; fields are shown behind it, seconds with one decimal."""
        if self._form == "json":
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
            self._write(json.dumps({"timestamp": now, "event": text, **fields}))
            return
        shown = [f"{value:.1f} s" if name.endswith("_s") else f"{name} {value}" for name, value in fields.items()]
        self._write(f"{text} ({', '.join(shown)})" if shown else text)

    def block(self, text: str) -> None:
        """Show text of several lines, indented and with room around it; one event in JSON."""
        if self._form == "json":
            self.event(text)
        else:
            self._write(f"\n{textwrap.indent(text, '  ')}\n")

    def _write(self, line: str) -> None:
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except OSError:
            pass  # the terminal is gone; the servers still have to be looked after, and stopped
