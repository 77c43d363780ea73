"""What can go wrong with the embedded servers, told to a person."""

from pathlib import Path


class LocalError(Exception):
    """Say what happened and what to do; shown as it is, without a traceback."""


class ServerFailedError(LocalError):
    """A server did not start, answer or stop in time; the message ends with the last lines of its log."""

    def __init__(self, what: str, log: Path) -> None:
        super().__init__(f"{what}\n{describe_log(log)}")


def describe_log(log: Path, lines: int = 12) -> str:
    """Name a log file and show its last lines, indented, for the end of an error message."""
    last = tail(log, lines)
    if not last:
        return f"Its log is empty: {log}"
    return "\n".join([f"The last lines of its log, {log}:", *(f"    {line}" for line in last)])


def tail(log: Path, lines: int) -> list[str]:
    """Return the last lines of a text file, however large it is; none when it does not exist."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 400 * lines))
            return stream.read().decode("utf-8", "replace").splitlines()[-lines:]
    except OSError:
        return []
