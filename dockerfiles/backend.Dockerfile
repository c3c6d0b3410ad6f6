# The todo backend: dependencies and bytecode made on Debian with pip, run on Python alone.

FROM debian:trixie-slim AS build
# The locked base decides the suite; pip is Debian's and never ships.
RUN apt-get update -q -o Acquire::Retries=10 \
 && apt-get install -qy -o Acquire::Retries=10 --no-install-recommends python3-pip=25.*

# A network that inspects TLS hands in its CA bundle as the secret `ca`; it stays out of every layer.
RUN --mount=type=bind,source=requirements.txt,target=/mnt/requirements.txt \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca,target=/run/secrets/ca.crt \
    if [ -f /run/secrets/ca.crt ]; then export PIP_CERT=/run/secrets/ca.crt; fi \
 && python3 -m pip install --require-hashes --only-binary :all: --no-compile --root-user-action ignore \
      --target /packages --requirement /mnt/requirements.txt \
 && rm -rf /packages/bin

# Bytecode is trusted by hash, not by date, so that two builds give the same bytes. Each tree lies as it does in the
# image, folders above it included, and all files have one date: so a layer depends on its content alone.
RUN PYTHONHASHSEED=0 python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -s /packages -p /usr/local/lib/python3.13/dist-packages /packages \
 && mkdir -p /image/packages/usr/local/lib/python3.13 \
 && mv /packages /image/packages/usr/local/lib/python3.13/dist-packages \
 && find /image/packages -exec touch --no-dereference --date=1980-01-01 {} +

# After the packages, which take ten times as long.
COPY app /image/app/app/app
RUN PYTHONHASHSEED=0 python3 -m compileall -q --invalidation-mode unchecked-hash -s /image/app -p / /image/app \
 && find /image/app -exec touch --no-dereference --date=1980-01-01 {} +

# No tag: base-python is an image of this project, and the pipeline says which digest it stands for.
FROM base-python
COPY --from=build /image/packages/ /
COPY --from=build /image/app/ /
# After the copies: a folder that WORKDIR has to make would belong to the user below.
WORKDIR /app
USER 65532:65532
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python3", "-c", "import http.client; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=2); c.request('GET', '/health/live'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["python3", "-m", "uvicorn", "--factory", "app.main:serve", "--host", "0.0.0.0", "--port", "8000", \
     "--workers", "1", "--proxy-headers", "--no-server-header", "--log-config", "app/logging.json", \
     "--timeout-graceful-shutdown", "8"]
