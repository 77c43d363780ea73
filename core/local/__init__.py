"""The servers behind `make run` and `make test`: PostgreSQL and Valkey from their wheels, and who looks after them."""

from pathlib import Path

from core.local.place import SECRET_KEY_FILE, servers_folder
from core.local.postgres import EmbeddedPostgres
from core.local.valkey import EmbeddedValkey


def urls(var_dir: Path) -> dict[str, str]:
    """
    Return the addresses of the embedded servers of a VAR_DIR, computed without asking whether they run.

    Keys: DATABASE_URL (role wattledger_app) and MIGRATE_DATABASE_URL (role wattledger_owner), both for libpq with the
    socket's folder in the query; REDIS_URL (`unix://PATH?db=0`); SECRET_KEY once the first start has made it.
    """
    folder = servers_folder(var_dir)
    postgres = EmbeddedPostgres(folder / "postgres")
    secret = var_dir / SECRET_KEY_FILE
    return {
        "DATABASE_URL": postgres.app_url,
        "MIGRATE_DATABASE_URL": postgres.owner_url,
        "REDIS_URL": EmbeddedValkey(folder / "valkey").url,
        **({"SECRET_KEY": secret.read_text().strip()} if secret.exists() else {}),
    }
