"""Where the servers of a VAR_DIR live, and that every process finds them there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

import core.local
from core.local.errors import LocalError
from core.local.place import choose_servers_folder, servers_folder
from core.local.postgres import UnreachableFolderError
from core.local.servers import Servers

as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder with mode 0700, as /root has."""
    with tempfile.TemporaryDirectory() as closed:
        yield Path(closed)


def test_addresses_are_known_before_the_first_start(tmp_path: Path) -> None:
    urls = core.local.urls(tmp_path / "v")

    assert urls["DATABASE_URL"].startswith("postgresql://wattledger_app@/wattledger?host=")
    assert urls["MIGRATE_DATABASE_URL"].startswith("postgresql://wattledger_owner@/wattledger?host=")
    assert urls["REDIS_URL"].startswith("unix:///")
    assert set(urls) == {"DATABASE_URL", "MIGRATE_DATABASE_URL", "REDIS_URL"}


def test_the_servers_live_in_the_var_dir(folder: Path) -> None:
    assert choose_servers_folder(folder / "var", chosen_by_user=True) == folder / "var"
    assert servers_folder(folder / "var") == folder / "var"


def test_the_secret_key_is_made_once_and_private(folder: Path) -> None:
    choose_servers_folder(folder / "var", chosen_by_user=True)
    first = core.local.urls(folder / "var")["SECRET_KEY"]

    choose_servers_folder(folder / "var", chosen_by_user=True)

    assert core.local.urls(folder / "var")["SECRET_KEY"] == first
    assert len(first) >= 50
    assert (folder / "var" / "secret_key").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_a_path_with_odd_characters_works(folder: Path) -> None:
    var_dir = folder / "my 20%, pröject"

    with Servers(var_dir) as servers:
        urls = core.local.urls(var_dir)
        with psycopg.connect(urls["DATABASE_URL"]) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        with redis.from_url(urls["REDIS_URL"]) as client:
            assert client.ping()

    servers.postgres.run_folder.rmdir()
    servers.valkey.socket.parent.rmdir()


@as_root_only
@pytest.mark.slow
def test_a_closed_project_gets_a_reachable_folder_and_stays_closed(closed_folder: Path) -> None:
    var_dir = closed_folder / "project" / "var"

    servers = Servers(var_dir)
    try:
        with servers:
            assert servers.postgres.app_url == core.local.urls(var_dir)["DATABASE_URL"]
            place = servers_folder(var_dir)
            assert place.parent == Path("/var/lib")
            assert place.stat().st_mode & 0o777 == 0o711
            assert (place.stat().st_uid, servers.postgres.data.stat().st_mode & 0o777) == (0, 0o700)
        assert closed_folder.stat().st_mode & 0o777 == 0o700
        assert Servers(var_dir).postgres.data == servers.postgres.data
    finally:
        shutil.rmtree(servers_folder(var_dir))


@as_root_only
def test_a_var_dir_of_the_users_choice_is_not_replaced(closed_folder: Path) -> None:
    with pytest.raises(UnreachableFolderError, match=r"VAR_DIR=/var/lib/wattledger"):
        choose_servers_folder(closed_folder / "var", chosen_by_user=True)


def test_an_unreadable_state_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "servers.json").write_text("{")

    with pytest.raises(LocalError, match=r"servers.json cannot be read"):
        servers_folder(tmp_path)
