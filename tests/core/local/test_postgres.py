"""The embedded PostgreSQL survives what happens to servers on a laptop."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from core.local import account as accounts
from core.local.errors import LocalError, ServerFailedError
from core.local.locks import AlreadyRunningError
from core.local.postgres import EmbeddedPostgres, UnreachableFolderError, _cluster_processes, end_cluster
from core.local.processes import identify, wait_until

pytestmark = pytest.mark.slow

MakePostgres = Callable[..., EmbeddedPostgres]
RunPython = Callable[..., subprocess.CompletedProcess[str]]
as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


def note(server: EmbeddedPostgres, text: str) -> None:
    with psycopg.connect(server.owner_url) as connection:
        connection.execute("create table if not exists note (line text)")
        connection.execute("insert into note values (%s)", [text])


def notes(server: EmbeddedPostgres) -> list[str]:
    with psycopg.connect(server.owner_url) as connection:
        return [line for (line,) in connection.execute("select line from note order by line")]


def test_a_fresh_folder_becomes_a_server_with_two_roles(make_postgres: MakePostgres) -> None:
    server = make_postgres()

    server.start()

    with psycopg.connect(server.admin_url) as connection:
        assert connection.info.server_version // 10_000 == 18
        roles = connection.execute(
            "select rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole from pg_roles"
            " where rolname in ('wattledger_app', 'wattledger_owner') order by 1"
        ).fetchall()
        owner = connection.execute("select datdba::regrole::text from pg_database where datname = 'wattledger'")
        assert owner.fetchone() == ("wattledger_owner",)
    assert roles == [
        ("wattledger_app", True, False, False, False, False),
        ("wattledger_owner", True, False, False, False, False),
    ]
    with psycopg.connect(server.app_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("create table mine (line text)")


def test_starting_twice_changes_nothing(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()
    pid = server.pid

    server.start()

    assert server.pid == pid


def test_a_restart_keeps_the_data(make_postgres: MakePostgres) -> None:
    first = make_postgres()
    first.start()
    note(first, "kept")
    first.stop()

    second = make_postgres()
    second.start()

    assert notes(second) == ["kept"]


def test_no_network_address_is_listened_on(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()

    with psycopg.connect(server.admin_url) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("",)
    assert server.run_folder.stat().st_mode & 0o077 == 0


@as_root_only
def test_other_users_cannot_connect(make_postgres: MakePostgres, ordinary_python: RunPython) -> None:
    server = make_postgres()
    server.start()

    stranger = ordinary_python(f"import psycopg; psycopg.connect({server.admin_url!r})")

    assert stranger.returncode != 0
    assert "Permission denied" in stranger.stderr


@as_root_only
def test_root_becomes_an_existing_user_and_adds_none(make_postgres: MakePostgres) -> None:
    users_before = Path("/etc/passwd").read_text()
    server = make_postgres()

    server.start()

    assert server.pid
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0
    assert Path("/etc/passwd").read_text() == users_before


def test_a_kill_of_initdb_leaves_nothing_half_made(make_postgres: MakePostgres, folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from core.local.postgres import EmbeddedPostgres;"
        "EmbeddedPostgres(Path(sys.argv[1])).start()"
    )
    starting = subprocess.Popen([sys.executable, "-c", code, str(folder / "postgres")], cwd=Path.cwd())
    assert wait_until(lambda: any((folder / "postgres").glob("data.new-*/base")), 20)
    starting.kill()
    starting.wait(10)
    assert not (folder / "postgres" / "data").exists()

    server = make_postgres()
    server.start()

    note(server, "works")
    assert not list((folder / "postgres").glob("data.new-*"))


def test_the_remains_of_another_half_made_folder_are_set_aside(make_postgres: MakePostgres, folder: Path) -> None:
    data = folder / "postgres" / "data"
    (data / "base").mkdir(parents=True)
    (folder / "postgres").chmod(0o711)
    server = make_postgres()

    server.start()

    note(server, "works")
    assert len(list((folder / "postgres").glob("data.incomplete-*/base"))) == 1


def test_a_damaged_database_is_refused_not_replaced(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()
    server.stop()
    (server.data / "PG_VERSION").unlink()

    with pytest.raises(LocalError, match=r"damaged. Restore it from a backup"):
        server.start()

    assert (server.data / "global" / "pg_control").exists()


def test_data_of_another_major_version_is_refused(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()
    server.stop()
    (server.data / "PG_VERSION").write_text("17\n")

    with pytest.raises(LocalError, match=r"written by PostgreSQL 17, this is 18"):
        server.start()


def test_a_stale_pid_file_of_a_dead_process_is_no_obstacle(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()
    note(server, "kept")
    pid_file = (server.data / "postmaster.pid").read_text()
    server.stop()
    (server.data / "postmaster.pid").write_text(pid_file)

    server.start()

    assert notes(server) == ["kept"]


def test_a_stale_pid_file_that_names_another_living_program_is_no_obstacle(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()
    note(server, "kept")
    lines = (server.data / "postmaster.pid").read_text().splitlines()
    server.stop()
    user = server.data.stat().st_uid if os.geteuid() == 0 else None  # PostgreSQL ignores processes of other users
    with subprocess.Popen(["/bin/sleep", "60"], user=user) as other:
        (server.data / "postmaster.pid").write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        try:
            server.start()
        finally:
            other.kill()

    assert notes(server) == ["kept"]


def test_a_killed_server_recovers_what_was_committed(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()
    note(server, "committed")
    idle = psycopg.connect(server.app_url)
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: server.poll() is not None, 5)

    server.start()

    assert notes(server) == ["committed"]
    idle.close()


def test_a_killed_backend_does_not_end_the_server(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.start()
    note(server, "committed")
    victim = psycopg.connect(server.app_url)

    os.kill(victim.info.backend_pid, signal.SIGKILL)

    ready = "database system is ready to accept connections"
    assert wait_until(lambda: server.log.read_text().count(ready) == 2, 30)  # at the start, and after the recovery
    assert notes(server) == ["committed"]
    victim.close()


def test_a_server_whose_runner_was_killed_ends_and_the_next_start_finds_its_data(
    make_postgres: MakePostgres, folder: Path
) -> None:
    code = (
        "import sys, time; from pathlib import Path; from core.local.postgres import EmbeddedPostgres;"
        "server = EmbeddedPostgres(Path(sys.argv[1])); server.start(); print(server.pid, flush=True); time.sleep(60)"
    )
    runner = subprocess.Popen(
        [sys.executable, "-c", code, str(folder / "postgres")], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert runner.stdout
    orphan = int(runner.stdout.readline())
    server = make_postgres()
    note(server, "kept")
    runner.kill()
    runner.wait(10)
    runner.stdout.close()

    server.start()  # at once: it has to wait for the orphan's end

    assert notes(server) == ["kept"]
    assert identify(orphan) is None


def test_an_orphan_that_does_not_know_of_its_runner_is_stopped_first(make_postgres: MakePostgres, folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "link").symlink_to(folder / "real")
    server = make_postgres(folder / "link" / "postgres")
    server.start()
    note(server, "kept")
    orphan = server.pid
    assert orphan

    end_cluster(server.data)

    assert not _cluster_processes(server.data)
    assert wait_until(lambda: identify(orphan) is None, 5)


def test_a_second_runner_of_the_same_folder_is_refused(make_postgres: MakePostgres) -> None:
    first, second = make_postgres(), make_postgres()
    first.start()

    with pytest.raises(AlreadyRunningError, match=f"in use by process {os.getpid()}"):
        second.start()

    note(first, "still works")


def test_two_servers_run_side_by_side(make_postgres: MakePostgres, folder: Path) -> None:
    first, second = make_postgres(folder / "one"), make_postgres(folder / "two")

    first.start()
    second.start()
    note(first, "first")
    note(second, "second")

    assert (notes(first), notes(second)) == (["first"], ["second"])


def test_a_long_path_gets_a_short_socket(make_postgres: MakePostgres, folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    server = make_postgres(deep / "postgres")

    server.start()

    note(server, "works")
    assert len(str(server.run_folder)) < 60
    server.stop()
    server.run_folder.rmdir()


@as_root_only
def test_a_folder_that_others_may_not_enter_is_refused_with_advice(make_postgres: MakePostgres) -> None:
    with tempfile.TemporaryDirectory() as closed:  # mode 0700, as /root has
        server = make_postgres(Path(closed) / "project" / "postgres")

        with pytest.raises(UnreachableFolderError, match=rf"may not enter {closed}.*VAR_DIR=/var/lib/wattledger"):
            server.start()

        assert Path(closed).stat().st_mode & 0o777 == 0o700


@as_root_only
def test_programs_that_the_account_cannot_reach_are_copied(
    make_postgres: MakePostgres, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = accounts.can
    monkeypatch.setattr(
        "core.local.programs.can", lambda who, test, path: "site-packages" not in str(path) and real(who, test, path)
    )
    server = make_postgres()

    server.start()

    note(server, "works")
    exe = Path(f"/proc/{server.pid}/exe").readlink()
    assert exe.is_relative_to(folder / "postgres")
    copied_at = exe.stat().st_mtime
    server.stop()
    server.start()
    assert exe.stat().st_mtime == copied_at


def test_an_ordinary_user_needs_no_rights(folder: Path, ordinary_python: RunPython) -> None:
    code = (
        "import sys; from pathlib import Path; from core.local.postgres import EmbeddedPostgres; import psycopg\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]) / 'postgres'); server.start()\n"
        "print(psycopg.connect(server.app_url).execute('select current_user').fetchone()[0]); server.stop()"
    )
    folder.chmod(0o777)

    done = ordinary_python(code, str(folder))

    assert (done.stdout, done.returncode) == ("wattledger_app\n", 0), done.stderr


@as_root_only
def test_another_users_folder_is_refused_kindly(
    folder: Path, make_postgres: MakePostgres, ordinary_python: RunPython
) -> None:
    server = make_postgres()
    server.start()
    server.stop()
    code = (
        "import sys; from pathlib import Path; from core.local.postgres import EmbeddedPostgres\n"
        "EmbeddedPostgres(Path(sys.argv[1]) / 'postgres').start()"
    )

    done = ordinary_python(code, str(folder))

    assert "belongs to user id" in done.stderr


def test_a_server_that_cannot_start_says_why(make_postgres: MakePostgres, folder: Path) -> None:
    server = EmbeddedPostgres(folder / "postgres", settings={"shared_buffers": "much"})
    begun = time.monotonic()

    with pytest.raises(ServerFailedError, match=r"(?s)while starting.*postgres.log.*invalid value.*shared_buffers"):
        server.start()

    assert time.monotonic() - begun < 20
    shutil.rmtree(folder / "postgres")
