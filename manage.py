#!/usr/bin/env python
"""The only entry point for operators and developers."""

import os
import sys


def main() -> None:
    """Run a command; a database that cannot be reached is told in words, not with a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if "connection to server" not in str(error):
            raise
        sys.exit(
            f"The database cannot be reached: {str(error).splitlines()[0]}\n"
            "The embedded servers run while `make run` does (with the same VAR_DIR); servers of your own are named by "
            "DATABASE_URL and REDIS_URL."
        )


if __name__ == "__main__":
    main()
