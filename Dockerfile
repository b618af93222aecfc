# syntax=docker/dockerfile:1
# One image for web, worker, beat, the MCP server and one-shot commands; docker-compose.yml says which runs what.

# By tag here, so that a build gets the distribution's corrections; by digest where you build what you ship:
# docker build --build-arg PYTHON_IMAGE=python:3.13-slim-trixie@sha256:… . (docs/operations.md, "The image").
# Debian 13 by name: its PostgreSQL programs are of the version that docker-compose.yml runs.
ARG PYTHON_IMAGE=python:3.13-slim-trixie
FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.lock .
RUN /opt/venv/bin/pip install --require-hashes --no-deps -r requirements.lock
WORKDIR /app
COPY manage.py ./
COPY portal portal
COPY keys keys
COPY templates templates
COPY static static
COPY docs docs
COPY locale locale
# Hashed, compressed files; the values are for this step alone and end up nowhere.
RUN LATCHKEY_ENV=production LATCHKEY_SECRET_KEY=build \
    LATCHKEY_PEPPERS="build:$(head -c 32 /dev/urandom | base64)" \
    DATABASE_URL=sqlite:////tmp/build.sqlite3 \
    /opt/venv/bin/python manage.py collectstatic --noinput \
    && /opt/venv/bin/python -m compileall -q portal keys

FROM ${PYTHON_IMAGE}
# pg_dump and pg_restore for `manage.py backup` and `restore`: of the server's version or newer.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /data --create-home --shell /usr/sbin/nologin latchkey
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app/keys/verifier \
    LATCHKEY_ENV=production \
    LATCHKEY_DATA=/data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER latchkey
# The only folder that is written, besides /tmp: the root file system can be read-only.
VOLUME /data
EXPOSE 8000 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-m", "portal.probe", "http://127.0.0.1:8000/healthz/ready"]
# One blocking thread in each worker; GRANIAN_WORKERS says how many, at best as many as there are processors.
CMD ["python", "-m", "granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--blocking-threads", "1", \
     "--no-ws", "--http", "1", "--http1-header-read-timeout", "10000", "--workers-kill-timeout", "10", \
     "--log-level", "warning", "portal.wsgi:application"]
