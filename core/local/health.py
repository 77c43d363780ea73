"""Ask the web server whether it lives: `python -m core.local.health` ends with 0 when it answers, 1 when it does not."""

import http.client
import os
import sys

TIMEOUT_S = 4.0


def web_answers(host: str, port: int) -> bool:
    """
    Return whether /healthz is answered without a server error.

    A refusal counts as an answer: in production the name of this machine is none of the ALLOWED_HOSTS.
    """
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if web_answers("127.0.0.1", int(os.environ.get("PORT") or 8000)) else 1)
