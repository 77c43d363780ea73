"""What `make run` reads is checked before anything starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from core.local.errors import LocalError
from core.local.options import check_port, read


def test_defaults() -> None:
    options = read({})

    assert (options.host, options.port, options.demo) == ("127.0.0.1", 8000, None)
    assert options.var_dir == Path(__file__).resolve().parents[3] / "var"
    assert not options.var_dir_chosen
    assert options.address == "http://127.0.0.1:8000"


def test_given_values_are_honoured() -> None:
    options = read({"HOST": "0.0.0.0", "PORT": "9000", "VAR_DIR": "/srv/w", "DEMO": "0", "LOG_FORMAT": "json"})  # noqa: S104

    assert (options.host, options.port, options.demo, options.log_format) == ("0.0.0.0", 9000, False, "json")  # noqa: S104
    assert (options.var_dir, options.var_dir_chosen) == (Path("/srv/w"), True)
    assert options.address == "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"PORT": "http"}, r"PORT='http' is no port"),
        ({"PORT": "70000"}, r"use a number from 1 to 65535"),
        ({"DEMO": "maybe"}, r"DEMO='maybe' is no switch"),
        ({"LOG_FORMAT": "xml"}, r"LOG_FORMAT='xml' is unknown"),
        ({"PRODUCTION": "1"}, r"PRODUCTION=1 needs servers of your own: set DATABASE_URL and REDIS_URL"),
        ({"PRODUCTION": "1", "DATABASE_URL": "postgresql://a@b/c"}, r"REDIS_URL"),
    ],
)
def test_bad_values_are_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(LocalError, match=message):
        read(environment)


def test_production_with_own_servers_is_accepted() -> None:
    options = read({"PRODUCTION": "1", "DATABASE_URL_FILE": "/run/secrets/database", "REDIS_URL": "redis://r/0"})

    assert options.external_database
    assert options.external_redis


def test_a_taken_port_is_told_with_another_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(LocalError, match=rf"Port {port} .* is taken .* make run PORT={port + 1}"):
            check_port("127.0.0.1", port)

    check_port("127.0.0.1", port)


def test_a_foreign_address_is_refused() -> None:
    with pytest.raises(LocalError, match=r"cannot listen on 192.0.2.1"):
        check_port("192.0.2.1", 8000)
