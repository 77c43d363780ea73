"""`make run`: the whole product on this machine, under one supervisor."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from core.local import options as run_options
from core.local import processes
from core.local.announce import Announcer
from core.local.errors import LocalError, ServerFailedError
from core.local.health import web_answers
from core.local.locks import AlreadyRunningError, Lock
from core.local.options import PROJECT, Options
from core.local.place import choose_servers_folder
from core.local.postgres import EmbeddedPostgres
from core.local.supervisor import Program, StopRequestedError, Supervisor
from core.local.valkey import EmbeddedValkey

FIRST_START_FILE = "first_start"  # exists once a first start is complete
DEMO_FILE = "demo.txt"  # what create_demo printed: the logins
WEB_STOP = ((signal.SIGTERM, 10.0),)
WORKER_STOP = ((signal.SIGTERM, 8.0), (signal.SIGQUIT, 3.0))  # unfinished tasks are taken up by the next start
BEAT_STOP = ((signal.SIGTERM, 5.0),)


class Run:
    """One run: what it starts, in order."""

    def __init__(self, options: Options, announcer: Announcer) -> None:
        self.options = options
        self.announcer = announcer
        self.var_dir = options.var_dir
        self.logs = self.var_dir / "log"
        self.environment = {
            **os.environ,
            "VAR_DIR": str(self.var_dir),
            "HOST": options.host,
            "PORT": str(options.port),
            "BASE_URL": os.environ.get("BASE_URL") or options.address,
            "PYTHONUNBUFFERED": "1",
        }
        self.supervisor = Supervisor(self.var_dir / "children.json", announcer)

    def start(self) -> None:
        """Bring everything up; raises LocalError when something does not come up."""
        ended = processes.end_survivors(self.supervisor.children_file)
        if ended:
            self.announcer.event(f"Ended what an earlier run left behind: {', '.join(ended)}")
        run_options.check_port(self.options.host, self.options.port)
        self._start_servers()
        self._timed("Database up to date", lambda: self._manage("migrate", "--database", "owner", "--noinput"))
        self._timed("Factor pack loaded", lambda: self._manage("load_factors"))
        self._make_demo()
        self._timed("Web, worker and scheduler running", self._start_programs)
        self._greet()

    def _start_servers(self) -> None:
        if self.options.external_database and self.options.external_redis:
            return
        folder = choose_servers_folder(self.var_dir, chosen_by_user=self.options.var_dir_chosen)
        if folder != self.var_dir:
            self.announcer.event(f"The database lies in {folder}: its user may not enter {self.var_dir}")
        if not self.options.external_database:
            postgres = EmbeddedPostgres(folder / "postgres", log=self.logs / "postgres.log")
            self._timed("PostgreSQL running", lambda: self.supervisor.add("PostgreSQL", postgres))
        if not self.options.external_redis:
            valkey = EmbeddedValkey(folder / "valkey", log=self.logs / "valkey.log")
            self._timed("Valkey running", lambda: self.supervisor.add("Valkey", valkey))

    def _make_demo(self) -> None:
        """Make the demo organization on the first start, or later when DEMO=1 asks for it; once only."""
        first = self.var_dir / FIRST_START_FILE
        demo = self.var_dir / DEMO_FILE
        wanted = not first.exists() if self.options.demo is None else self.options.demo
        if wanted and not demo.exists():
            self.announcer.event("Making the demo organization, a year of records; DEMO=0 leaves it out")
            told: list[str] = []
            self._timed("Demo organization made", lambda: told.append(self._manage("create_demo")))
            processes.write_whole(demo, "".join(told))
        first.touch()

    def _start_programs(self) -> None:
        python = [sys.executable, "-m"]
        celery = [*python, "celery", "--app", "core.celery:app"]
        web = self._program(
            "web",
            [*python, "core.local.web"],
            WEB_STOP,
            self._web_answers,
        )
        self.supervisor.add("Web", web)
        worker = [*celery, "worker", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
        self.supervisor.add("Worker", self._program("worker", worker, WORKER_STOP))
        schedule = self.var_dir / "celerybeat-schedule"
        beat = [*celery, "beat", "--loglevel", "WARNING", "--pidfile", "", "--schedule", str(schedule)]
        self.supervisor.add("Scheduler", self._program("beat", beat, BEAT_STOP))
        web.await_ready()

    def _program(
        self,
        name: str,
        command: list[str],
        stop_signals: tuple[tuple[int, float], ...],
        ready: Callable[[], bool] | None = None,
    ) -> Program:
        return Program(
            command,
            log=self.logs / f"{name}.log",
            directory=PROJECT,
            environment=self.environment,
            stop_signals=stop_signals,
            ready=ready,
        )

    def _web_answers(self) -> bool:
        return web_answers(self.options.local_host, self.options.port)

    def _manage(self, *arguments: str, seconds: float = 600) -> str:
        """Run a management command to its end and return what it printed; its errors are in log/setup.log."""
        log = self.logs / "setup.log"
        with log.open("a") as errors:
            try:
                done = subprocess.run(
                    processes.tied([sys.executable, str(PROJECT / "manage.py"), *arguments]),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=self.environment,
                    cwd=PROJECT,
                    text=True,
                    check=False,
                    timeout=seconds,
                )
            except subprocess.TimeoutExpired:
                what = f"`manage.py {' '.join(arguments)}` took more than {seconds:.0f} s."
                raise ServerFailedError(what, log) from None
            errors.write(done.stdout)
        if done.returncode != 0:
            what = f"`manage.py {' '.join(arguments)}` failed with exit code {done.returncode}."
            raise ServerFailedError(what, log)
        return done.stdout

    def _timed(self, what: str, act: Callable[[], object]) -> None:
        begun = time.monotonic()
        act()
        self.announcer.event(what, took_s=time.monotonic() - begun)

    def _greet(self) -> None:
        lines = [f"Wattledger is running: {self.options.address}/"]
        demo = self.var_dir / DEMO_FILE
        if demo.exists():
            lines += ["", *demo.read_text().strip().splitlines()]
        lines += ["", f"Logs are in {self.logs}. Ctrl-C stops it; the data stays."]
        self.announcer.block("\n".join(lines))


def main() -> int:
    """Run until Ctrl-C or SIGTERM; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _request_stop)
    announcer = Announcer("json" if os.environ.get("LOG_FORMAT") == "json" else "console")
    try:
        options = run_options.read(os.environ)
        _make_var_dir(options.var_dir)
        lock = Lock(options.var_dir / "lock")
        _acquire(lock)
    except LocalError as error:
        announcer.event(str(error))
        return 1
    run = Run(options, announcer)
    try:
        run.start()
        run.supervisor.watch()
    except StopRequestedError:
        announcer.event("Stopping")
    except LocalError as error:
        announcer.event(str(error))
        return 1
    finally:
        _ignore_signals()
        run.supervisor.stop()
        lock.release()
    announcer.event("Stopped")
    return 0


def _make_var_dir(var_dir: Path) -> None:
    try:
        if not var_dir.exists():
            var_dir.mkdir(parents=True)
            var_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
        (var_dir / "log").mkdir(exist_ok=True)
    except OSError as error:
        raise LocalError(f"VAR_DIR={var_dir} cannot be used ({error.strerror}): choose another folder.") from None


def _acquire(lock: Lock) -> None:
    try:
        lock.acquire()
    except AlreadyRunningError as error:
        raise LocalError(
            f"Wattledger already runs from {lock.file.parent} (process {error.pid}). Stop it with `kill {error.pid}`, or "
            "start a second one with another folder and port: make run VAR_DIR=... PORT=..."
        ) from None
    except OSError as error:
        raise LocalError(f"{lock.file} cannot be written ({error.strerror}): choose another VAR_DIR.") from None


def _request_stop(_number: int, _frame: FrameType | None) -> None:
    _ignore_signals()  # once is enough: stopping has deadlines of its own
    raise StopRequestedError


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
