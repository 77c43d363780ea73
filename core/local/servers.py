"""Both embedded servers of a VAR_DIR, for the supervisor, tests and scripts."""

from pathlib import Path
from types import TracebackType

from core.local.place import choose_servers_folder
from core.local.postgres import EmbeddedPostgres
from core.local.valkey import EmbeddedValkey


class Servers:
    """PostgreSQL and Valkey of a VAR_DIR; a context manager that starts them and stops them again."""

    def __init__(self, var_dir: Path, *, chosen_by_user: bool = False) -> None:
        folder = choose_servers_folder(var_dir, chosen_by_user=chosen_by_user)
        logs = var_dir.absolute() / "log"
        self.postgres = EmbeddedPostgres(folder / "postgres", log=logs / "postgres.log")
        self.valkey = EmbeddedValkey(folder / "valkey", log=logs / "valkey.log")

    def start(self) -> None:
        """Start both; when one fails, none is left running."""
        try:
            self.postgres.start()
            self.valkey.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop both."""
        self.valkey.stop()
        self.postgres.stop()

    def __enter__(self) -> "Servers":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
