"""The embedded PostgreSQL 18: a folder, a unix socket instead of a port, the system's word for passwords."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg

from core.local import processes, programs
from core.local.account import Account, choose, closed_folder, own_name
from core.local.errors import LocalError, ServerFailedError
from core.local.locks import Lock
from core.local.sockets import make_private, socket_folder

MAJOR_VERSION = "18"
PORT = 5432  # part of the socket's name only; the server listens on no network address
SOCKET_NAME = f".s.PGSQL.{PORT}"
DATABASE = "wattledger"
ADMIN, OWNER, APP = "wattledger_admin", "wattledger_owner", "wattledger_app"
ROLES_SQL = Path(__file__).with_name("roles.sql")

SETTINGS = {
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "max_connections": "100",
    "jit": "off",  # pages ask many small questions; compiling each costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u ",
    "log_checkpoints": "off",
}
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}  # for tests: survives a kill, not a power cut

# fast shutdown (rolls back and disconnects), then the one without a checkpoint, which recovers at the next start
STOP_SIGNALS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0))


class UnreachableFolderError(LocalError):
    """As root, the account that PostgreSQL runs as may not enter a folder on the way to its data."""

    def __init__(self, folder: Path, closed: Path, account: Account) -> None:
        self.closed, self.account = closed, account
        super().__init__(
            f"PostgreSQL refuses to run as root, so it runs as the user {account.name}, who may not enter {closed} and "
            f"cannot keep its data in {folder}. Choose a folder that others may enter, for example "
            "VAR_DIR=/var/lib/wattledger, or run as an ordinary user. (No permission was changed.)"
        )


class EmbeddedPostgres:
    """
    A PostgreSQL server in `folder`, with the database `wattledger` and its two roles.

    Everybody but the user who starts it is kept out: the socket's folder is private, and the server asks the system who
    is calling (peer authentication). As root it runs as another existing user. Nothing outside `folder` is touched,
    except for a socket folder among the temporary files when the path is too long for a socket.

    On Linux the server ends with the thread that started it, so start it from the main thread.
    """

    def __init__(
        self,
        folder: Path,
        *,
        log: Path | None = None,
        settings: Mapping[str, str] | None = None,
        start_seconds: float = 60,
    ) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.log = log or self.folder / "postgres.log"
        self.start_seconds = start_seconds
        self._settings = {**SETTINGS, **(settings or {})}
        self._lock = Lock(self.folder / "lock")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def run_folder(self) -> Path:
        """Where the socket lies."""
        return socket_folder(self.folder, SOCKET_NAME)

    @property
    def app_url(self) -> str:
        """For the application: owns nothing, bound by row-level security."""
        return self.url(APP)

    @property
    def owner_url(self) -> str:
        """For migrations: owns the database and its tables."""
        return self.url(OWNER)

    @property
    def admin_url(self) -> str:
        """For making roles and databases: the superuser."""
        return self.url(ADMIN, "postgres")

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return the libpq URL of a role; the socket's folder stands in the query, where nothing folds its letters."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.run_folder), safe='')}&port={PORT}"

    @property
    def pid(self) -> int | None:
        """The running server's process id, None when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """
        Start the server, making its data first where there is none; return when it answers. A running one is kept.

        A server that a killed runner left behind is stopped first. Raises LocalError with what to do; waits no longer
        than `start_seconds`, except while PostgreSQL says that it is recovering.
        """
        if self.pid:
            return
        account = choose(self.data)
        self._prepare_folder(account)
        self._lock.acquire()
        try:
            home = programs.postgres_home(self.folder, account)
            make_private(self.run_folder, account)
            end_cluster(self.data)
            self._ensure_data(home, account)
            self._write_access_rules()
            self._launch(home, account)
            self._await_answer()
            self._ensure_roles(home)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, taking back what was not committed; returns when it is gone. Stopping twice is harmless."""
        if self._process:
            processes.stop(self._process, STOP_SIGNALS)
            self._process = None
            end_cluster(self.data)
        self._lock.release()

    def poll(self) -> int | None:
        """Return the exit code when a started server has ended by itself, None while it runs."""
        return self._process.poll() if self._process else None

    def _prepare_folder(self, account: Account | None) -> None:
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            self.folder.chmod(0o711 if account else 0o700)
        if account is None:
            owner = (self.data if self.data.exists() else self.folder).stat().st_uid
            if owner != os.geteuid():
                raise LocalError(
                    f"{self.folder} belongs to user id {owner}: run as that user or choose another VAR_DIR."
                )
        elif closed := closed_folder(account, self.folder):
            raise UnreachableFolderError(self.folder, closed, account)

    def _ensure_data(self, home: Path, account: Account | None) -> None:
        for unfinished in self.folder.glob("data.new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        version = self.data / "PG_VERSION"
        if not version.exists():
            self._set_aside_remains()
            self._initialise(home, account)
        elif (found := version.read_text().strip()) != MAJOR_VERSION:
            raise LocalError(
                f"{self.data} was written by PostgreSQL {found}, this is {MAJOR_VERSION}: dump it with the old release "
                "(pg_dump) and restore it into a new VAR_DIR."
            )

    def _set_aside_remains(self) -> None:
        """Move away what stands in the data folder's place; refuse when it may hold somebody's ledger."""
        if not self.data.exists():
            return
        if (self.data / "global" / "pg_control").exists():
            raise LocalError(
                f"{self.data} holds a PostgreSQL database without its file PG_VERSION: it is damaged. Restore it "
                "from a backup, or move it away to start with an empty one."
            )
        if any(self.data.iterdir()):
            self.data.rename(self.folder / f"data.incomplete-{time.time_ns()}")
        else:
            self.data.rmdir()

    def _initialise(self, home: Path, account: Account | None) -> None:
        """Make the data beside its place and move it there when complete, so that a kill leaves nothing half made."""
        unfinished = self.folder / f"data.new-{os.getpid()}"
        make_private(unfinished, account)
        command = [str(home / "bin" / "initdb"), "-D", str(unfinished), "-U", ADMIN, "--encoding=UTF8", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth-local=peer", "--auth-host=reject"]
        if self._settings.get("fsync") == "off":
            command.append("--no-sync")
        making = processes.start(command, log=self.log, account=account, environment=_environment())
        try:
            code = making.wait(self.start_seconds + 60)
        except subprocess.TimeoutExpired:
            raise ServerFailedError("Making PostgreSQL's data folder (initdb) took too long.", self.log) from None
        finally:
            processes.kill_session(making.pid)
        if code != 0:
            raise ServerFailedError(f"Making PostgreSQL's data folder (initdb) failed with exit code {code}.", self.log)
        unfinished.rename(self.data)

    def _write_access_rules(self) -> None:
        """Let this very user be any of the three roles, and nobody else anything."""
        name = own_name().replace('"', "")
        lines = [f"local all {role} peer map={DATABASE}\n" for role in (ADMIN, OWNER, APP)]
        processes.write_whole(self.folder / "hba.conf", "".join(lines), 0o644)
        lines = [f'{DATABASE} "{name}" {role}\n' for role in (ADMIN, OWNER, APP)]
        processes.write_whole(self.folder / "ident.conf", "".join(lines), 0o644)

    def _launch(self, home: Path, account: Account | None) -> None:
        processes.shorten_log(self.log)
        settings = {
            **self._settings,
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": f'"{self.run_folder}"',
            "unix_socket_permissions": "0700",
            "hba_file": str(self.folder / "hba.conf"),
            "ident_file": str(self.folder / "ident.conf"),
        }
        command = [str(home / "bin" / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self._process = processes.start(
            command, log=self.log, account=account, environment=_environment(), orphan_signal=signal.SIGINT
        )

    def _await_answer(self) -> None:
        deadline = time.monotonic() + self.start_seconds
        while True:
            if (code := self.poll()) is not None:
                raise ServerFailedError(f"PostgreSQL ended with exit code {code} while starting.", self.log)
            try:
                psycopg.connect(self.admin_url, connect_timeout=5).close()
            except psycopg.OperationalError as error:
                recovering = "starting up" in str(error) or "not yet accepting" in str(error)
                if time.monotonic() > deadline + (600 if recovering else 0):
                    raise ServerFailedError(
                        f"PostgreSQL did not answer within {self.start_seconds:.0f} s: {error}", self.log
                    ) from None
                time.sleep(processes.POLL_S)
            else:
                return

    def _ensure_roles(self, home: Path) -> None:
        psql = [str(home / "bin" / "psql"), "-X", "-q", "-o", os.devnull, "-f", str(ROLES_SQL), self.admin_url]
        try:
            done = subprocess.run(psql, env=_environment(), capture_output=True, text=True, check=False, timeout=60)
        except subprocess.TimeoutExpired:
            raise ServerFailedError("Making the database roles took more than 60 s.", self.log) from None
        if done.returncode != 0:
            raise ServerFailedError(f"Making the database roles failed: {done.stderr.strip()}", self.log)


def end_cluster(data: Path, seconds: float = 30) -> None:
    """
    Stop a server that a killed runner left on this data, and wait until all of its processes are gone.

    PostgreSQL guards its data by the memory that its processes share, so the pid file is removed only when none is left
    and the number in it has come to belong to another program (which PostgreSQL itself would mistake for a server).
    """
    pid_file = data / "postmaster.pid"
    postmaster = _postmaster(pid_file)
    running = _cluster_processes(data)
    if postmaster in running:
        for number, patience in ((signal.SIGINT, seconds), (signal.SIGQUIT, 10)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(postmaster, number)
            if processes.wait_until(lambda: not _cluster_processes(data), patience):
                break
    elif running and not processes.wait_until(lambda: not _cluster_processes(data), 10):  # they notice by themselves
        for pid in _cluster_processes(data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    if not processes.wait_until(lambda: not _cluster_processes(data), 10):
        raise LocalError(
            f"An earlier PostgreSQL on {data} does not stop (processes {sorted(_cluster_processes(data))}): end it and "
            "start again."
        )
    if postmaster and Path("/proc/self/cwd").exists() and processes.identify(postmaster):
        pid_file.unlink(missing_ok=True)


def _postmaster(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return 0


def _cluster_processes(data: Path) -> set[int]:
    """Return the processes that work in the data folder: the postmaster and its children all do."""
    if not Path("/proc/self/cwd").exists():  # macOS: only the postmaster can be told from others, by its arguments
        answer = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=False)
        rows = [line.split(None, 1) for line in answer.stdout.splitlines()]
        return {int(pid) for pid, command in rows if f"postgres -D {data} " in command}
    found = set()
    place = data.resolve()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            same_place = (process / "cwd").readlink() == place
            if same_place and (process / "comm").read_text().startswith("postgres"):
                found.add(int(process.name))
    return found


def _environment() -> dict[str, str]:
    """Return a clean environment: PGDATA, PGOPTIONS and their like are meant for other servers."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
