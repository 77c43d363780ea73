"""
Settings of the web server, for `make run` and the container image alike; why gunicorn: docs/adr/0002-web-server.md.

Read by `gunicorn --config python:core.local.gunicorn_conf core.wsgi:application`.
"""

import os

bind = f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
worker_class = "gthread"
threads = 4
timeout = 60
graceful_timeout = 8
keepalive = 15
backlog = 512
limit_request_line = 8190  # filters live in the query string
accesslog = None
errorlog = "-"
loglevel = "warning"
