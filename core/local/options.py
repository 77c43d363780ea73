"""What `make run` reads from its environment, checked before anything starts."""

import contextlib
import errno
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.local.announce import Format
from core.local.errors import LocalError

PROJECT = Path(__file__).resolve().parents[2]
SWITCHES = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Options:
    """The environment of one run."""

    host: str
    port: int
    var_dir: Path
    var_dir_chosen: bool  # by the user, so it is not quietly replaced
    demo: bool | None  # None: on the first start only
    external_database: bool
    external_redis: bool
    log_format: Format

    @property
    def local_host(self) -> str:
        """A host by which this machine reaches the web server."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104 - read, not bound

    @property
    def address(self) -> str:
        """The address to open in a browser on this machine."""
        host = f"[{self.local_host}]" if ":" in self.local_host else self.local_host
        return f"http://{host}:{self.port}"


def read(environment: Mapping[str, str]) -> Options:
    """Read the options; a bad value is a LocalError that names it and says what would do."""
    given = {name for name, value in environment.items() if value.strip()}
    external_database = bool({"DATABASE_URL", "DATABASE_URL_FILE"} & given)
    external_redis = bool({"REDIS_URL", "REDIS_URL_FILE"} & given)
    if _switch(environment, "PRODUCTION") and not (external_database and external_redis):
        raise LocalError(
            "PRODUCTION=1 needs servers of your own: set DATABASE_URL and REDIS_URL. The embedded ones are for trying out."
        )
    log_format = environment.get("LOG_FORMAT", "").strip() or "console"
    if log_format not in ("console", "json"):
        raise LocalError(f"LOG_FORMAT={log_format!r} is unknown: use console or json.")
    var_dir = environment.get("VAR_DIR", "").strip()
    return Options(
        host=environment.get("HOST", "").strip() or "127.0.0.1",
        port=_port(environment.get("PORT", "").strip() or "8000"),
        var_dir=Path(var_dir or PROJECT / "var").absolute(),
        var_dir_chosen=bool(var_dir),
        demo=_switch(environment, "DEMO"),
        external_database=external_database,
        external_redis=external_redis,
        log_format="json" if log_format == "json" else "console",
    )


def check_port(host: str, port: int) -> None:
    """Raise LocalError with what to do when the web server could not listen there."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise LocalError(f"HOST={host} is no address of this machine ({error.strerror}): use 127.0.0.1.") from None
    with contextlib.closing(socket.socket(family, kind, protocol)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
            probe.listen(1)
        except OSError as error:
            raise LocalError(_why_not(error, host, port)) from None


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken by another program. Choose another one: make run PORT={port + 1}"
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than we have. Choose one above 1023: make run PORT=8000"
    return f"The web server cannot listen on {host}, port {port}: {os.strerror(error.errno or 0)}. Try HOST=127.0.0.1."


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise LocalError(f"PORT={text!r} is no port: use a number from 1 to 65535.")
    return int(text)


def _switch(environment: Mapping[str, str], name: str) -> bool | None:
    text = environment.get(name, "").strip().lower()
    if text and text not in SWITCHES:
        raise LocalError(f"{name}={text!r} is no switch: use 1 or 0.")
    return SWITCHES.get(text)
