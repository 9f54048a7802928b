# syntax=docker/dockerfile:1
# The worker. Build: docker build -t fraud-monitor .   Run: docker run -e MONITOR_BROKERS=... fraud-monitor

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/monitor
# The dependencies by themselves first: they change seldom, and every one is checked against its hash.
COPY requirements.lock ./
RUN /opt/monitor/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY schemas ./schemas
COPY models ./models
COPY monitor ./monitor
RUN /opt/monitor/bin/pip install --no-build-isolation --no-deps .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin monitor \
    && install -d -o 10001 -g 10001 /var/lib/monitor
COPY --from=build /opt/monitor /opt/monitor
# numba keeps compiled kernels beside the source or here; the package is root's, and a read-only file system has only /tmp.
ENV PATH=/opt/monitor/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    MONITOR_HTTP_BIND=0.0.0.0:8080 \
    MONITOR_DATA_DIR=/var/lib/monitor
USER 10001:10001
WORKDIR /var/lib/monitor
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/live', timeout=2)"]
ENTRYPOINT ["monitor"]
CMD ["run"]
