# The Python 3.13 runtime and nothing else: no shell, no package manager, no perl.
#
# Debian's packages are unpacked, not installed: their maintainer scripts would need a shell, and what
# those scripts make is little enough to be made here by hand. Each package's control data stays in
# /var/lib/dpkg/status.d, so that a scanner sees every one of them.

FROM debian:trixie-slim AS rootfs
WORKDIR /packages

# What is on this list is in the image. Names their Depends would add, left out on purpose:
#   debconf, media-types, netbase   perl scripts and tables for them; Python has its own MIME types
#   openssl, openssl-provider-legacy   a command line and retired ciphers; ca-certificates wants the first
#   libreadline8t64, libncursesw6, libdb5.3t64   the interactive prompt, terminal windows and dbm
#   tzdata   the server runs in UTC; a Python package that needs time zones brings its own
# The import of every extension module below fails the build if a library is ever missing.
RUN apt-get update -q -o Acquire::Retries=10 \
 && apt-get download -q -o Acquire::Retries=10 -o APT::Sandbox::User=root \
      base-files ca-certificates gcc-14-base libbz2-1.0 libc6 libexpat1 libffi8 libgcc-s1 liblzma5 \
      libpython3.13-minimal libpython3.13-stdlib libsqlite3-0 libssl3t64 libuuid1 libzstd1 \
      python3.13-minimal zlib1g

RUN mkdir -p /rootfs/var/lib/dpkg/status.d \
 && for deb in *.deb; do \
      dpkg-deb -x "$deb" /rootfs || exit 1; \
      dpkg-deb -f "$deb" > "/rootfs/var/lib/dpkg/status.d/$(dpkg-deb -f "$deb" Package)" || exit 1; \
    done

WORKDIR /rootfs

# What the maintainer scripts would have made.
RUN cat usr/share/ca-certificates/mozilla/*.crt > etc/ssl/certs/ca-certificates.crt \
 && mkdir -p usr/lib/ssl && ln -s /etc/ssl/certs/ca-certificates.crt usr/lib/ssl/cert.pem \
 && ln -s python3.13 usr/bin/python3 \
 && printf '%s\n' root:x:0:0:root:/root:/nonexistent \
      nonroot:x:65532:65532:nonroot:/nonexistent:/nonexistent > etc/passwd \
 && printf '%s\n' root:x:0: nonroot:x:65532: > etc/group \
 && echo 'hosts: files dns' > etc/nsswitch.conf

# What a server never opens. Copyright files stay: a licence check has to have something to read.
RUN rm -rf etc/profile.d etc/update-motd.d usr/lib/binfmt.d usr/lib/*/gconv usr/share/base-files \
      usr/share/binfmts usr/share/ca-certificates usr/share/doc/*/examples usr/share/lintian \
      usr/share/man sbin usr/sbin \
 && find usr/share/doc -type f ! -name copyright -delete \
 && rm -rf usr/lib/python3.13/pydoc_data usr/lib/python3.13/test usr/lib/python3.13/turtle* \
      usr/lib/python3.13/venv \
      usr/lib/python3.13/lib-dynload/_curses*.so usr/lib/python3.13/lib-dynload/_dbm*.so \
      usr/lib/python3.13/lib-dynload/readline*.so

# From here on the image's own Python does the work, which also proves that it starts.
RUN ldconfig -r . && rm -rf var/cache/ldconfig \
 && chroot . python3 -c "import importlib, pathlib, sysconfig; \
      modules = pathlib.Path(sysconfig.get_path('platstdlib'), 'lib-dynload').glob('*.so'); \
      [importlib.import_module(module.name.split('.')[0]) for module in modules]" \
 && find . -name __pycache__ -prune -exec rm -rf {} + \
 && PYTHONHASHSEED=0 chroot . \
      python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.13 \
 && find . -depth -mindepth 1 -type d -empty -delete && mkdir -p dev proc run sys \
 && mkdir -m 1777 tmp

# One date for all files, so that the layer depends on their content alone: not on the commit, the hour of the build
# or what was in the builder's cache. It is the same one in every image that stands on this.
RUN find /rootfs -exec touch --no-dereference --date=1980-01-01 {} + && mv /rootfs /image

FROM scratch
COPY --from=rootfs /image/ /
ENV PATH=/usr/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONUTF8=1
USER 65532:65532
CMD ["python3"]
