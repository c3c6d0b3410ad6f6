"""Mistakes in a definition, a repository or what came of them, each with the rule it breaks; see test_policy_rules."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from imagewright.model.definition import EnvVariable
from imagewright.model.findings import Package, ToolIdentity
from imagewright.model.image import Contents, FileEntry, HealthCheck
from imagewright.model.repository import RepositoryFacts
from imagewright.reference import Digest
from tests.unit import factory
from tests.unit.factory import config, contents, entry, inputs, scan


def frontend(**parts: Any) -> dict[str, Any]:
    """A good frontend, with the named inputs replaced."""
    good: dict[str, Any] = {
        **{"definition": factory.frontend_definition(), "config": factory.frontend_config()},
        **{"contents": factory.frontend_contents(), "scan": factory.frontend_scan()},
        "inputs": factory.frontend_inputs(),
    }
    return {**good, **parts}


def made_from(recipe: str = factory.DOCKERFILE, **changes: Any) -> dict[str, Any]:
    """A backend made from this Dockerfile, these files, …"""
    return {"inputs": inputs(recipe, **changes)}


def with_files(**files: str) -> dict[str, Any]:
    return made_from(files={**factory.SOURCES, **files})


def frontend_from(old: str = "", new: str = "", **changes: Any) -> dict[str, Any]:
    """A frontend whose Dockerfile says ``new`` instead of ``old``."""
    recipe = factory.FRONTEND.replace(old, new) if old else factory.FRONTEND
    return frontend(inputs=factory.frontend_inputs(recipe, **changes))


def locked(**versions: str) -> dict[str, Any]:
    packages = {f"node_modules/{name}": {"version": text, "integrity": "x"} for name, text in versions.items()}
    return frontend_from(files={"package-lock.json": json.dumps({"packages": packages})})


def started(*words: str) -> dict[str, Any]:
    return {"config": config(cmd=(*words, "--timeout-graceful-shutdown", "8"))}


def python(version: str) -> dict[str, Any]:
    package = Package("python3", version, "os", "debian", f"pkg:deb/debian/python3@{version}")
    return {"scan": scan(packages=(package, scan().packages[-1]))}


def environment(**changes: str) -> dict[str, Any]:
    return frontend(config=factory.frontend_config(env=tuple({**factory.NODE_ENVIRONMENT, **changes}.items())))


def weighing(of: Contents, uncompressed: int) -> Contents:
    return dataclasses.replace(of, layers=(dataclasses.replace(of.layers[0], uncompressed=uncompressed),))


def files(*found: FileEntry) -> dict[str, Any]:
    return {"contents": contents(*found)}


def frontend_files(*found: FileEntry, without: str = "") -> dict[str, Any]:
    return frontend(contents=factory.frontend_contents(*found, without=without))


def frontend_started(*words: str) -> dict[str, Any]:
    return frontend(config=factory.frontend_config(cmd=words))


SERVER = ("python3", "-m", "uvicorn", "app.main:app")
UNTRACKED = RepositoryFacts(ignore_tracked=False, ignore_ignored=False, public_tracked=0)

MISTAKES: list[tuple[str, str, dict[str, Any]]] = [
    ("SEC-004", "a base from somewhere", made_from("FROM python:3.13-slim\n")),
    ("SEC-004", "a tool by COPY --from", made_from("FROM scratch\nCOPY --from=ghcr.io/astral-sh/uv:1 /uv /uv\n")),
    ("SEC-005", "a floating tool", made_from("FROM scratch\nCOPY --from=ghcr.io/astral-sh/uv:latest /uv /uv\n")),
    ("SEC-005", "a mount of an image", made_from("FROM scratch\nRUN --mount=from=tools,target=/t make\n")),
    ("SEC-005", "a syntax image", made_from("# syntax=docker/dockerfile:1\nFROM scratch\n")),
    ("SEC-007", "Node 20", frontend(scan=factory.frontend_scan(node="20.19.0"))),
    ("SEC-007", "Python 3.10, three weeks late", python("3.10.12-1")),
    ("SEC-007", "a line nobody looked up", python("3.19.0-1")),
    ("SEC-007", "a Node of unknown version", files(entry("/opt/bin/node", mode=0o755))),
    ("SEC-008.4", "a signing secret as ARG", made_from("FROM scratch\nARG AUTH_SECRET\n")),
    ("SEC-008.4", "a password in ENV", made_from("FROM scratch\nENV A=b DB_PASSWORD=hunter2\n")),
    (
        "SEC-009",
        "a signing secret for browsers",
        frontend_from(files={"lib/a.ts": "env.NEXT_PUBLIC_AUTH_SECRET"}),
    ),
    ("SEC-009", "one in the Dockerfile", frontend_from("RUN npm run", "ARG NEXT_PUBLIC_API_TOKEN\nRUN npm run")),
    ("SEC-010", "no ignore file", made_from(ignore_file="", ignored="")),
    ("SEC-010.2", "an ignore file without .env", made_from(ignored=".git\nnode_modules\n")),
    ("SEC-010.2", "a folder let in with all there is", made_from(ignored="*\n!app\n.env*\n")),
    ("SEC-010.3", "an ignore file nobody has", made_from(repository=UNTRACKED)),
    ("SEC-010.3", "an ignore file git ignores", made_from(repository=RepositoryFacts(True, True, 0))),
    ("SEC-010.4", "a key in the context", with_files(id_rsa="")),
    ("SEC-010.4", "a registry's token", with_files(**{".npmrc": "//example.org/:_authToken=x"})),
    ("SEC-011", "a source map", files(entry("/app/static/a.js.map"))),
    ("SEC-011", "the repository", files(entry("/app/.git", kind="directory"), entry("/app/.git/HEAD"))),
    ("SEC-011.2", "an .env", files(entry("/app/.env"))),
    ("SEC-016", "an action by tag", made_from(workflow="steps:\n  - uses: actions/checkout@v4\n")),
    ("SEC-016", "a workflow by branch", made_from(workflow='"uses": "a/b/.github/workflows/c.yml@main"\n')),
    ("SEC-016.2", "a bad scanner", {"scan": scan(scanner=ToolIdentity("trivy", "0.69.5", Digest.of(b"x")))}),
    ("SEC-022", "chown -R", files(entry("/app", kind="directory", uid=65532), entry("/app/a.py", uid=65532))),
    ("SEC-022", "a group that may write", files(entry("/srv/x", gid=65532, mode=0o664))),
    ("SEC-022", "the developer's files", files(entry("/app/main.py", uid=1000))),
    ("FE-001", "one stage", frontend_from(factory.FRONTEND, "FROM base-node\nCOPY . .\nRUN npm ci\n")),
    ("FE-001", "the context in the last stage", frontend_from("USER", "COPY app /app/app\nUSER")),
    (
        "FE-002",
        "forgotten static files",
        frontend_files(without="/app/.next/static/a.js"),
    ),
    ("FE-002", "no standalone server", frontend_files(without="/app/server.js")),
    ("FE-002.2", "an empty public/", frontend_from(repository=UNTRACKED)),
    ("FE-003", "npm install", frontend_from("npm ci", "npm install")),
    ("FE-003", "a global tool", frontend_from("npm ci", "npm -q install -g pnpm && npm ci")),
    ("FE-003.2", "production only", frontend_from("npm ci", "npm ci --omit=dev")),
    ("FE-003.2", "production by environment", frontend_from("RUN npm ci", "ENV NODE_ENV=production\nRUN npm ci")),
    (
        "FE-003.3",
        "a package without integrity",
        frontend_from(files={"package-lock.json": '{"packages": {"node_modules/a": {"version": "1.0.0"}}}'}),
    ),
    ("FE-004", "Next 15", locked(next="15.5.0")),
    ("FE-004", "Next 16.0.6", locked(next="16.0.6")),
    ("FE-004", "React 19.2.0", locked(react="19.2.0")),
    ("FE-004", "React 18", locked(**{"react-dom": "18.3.1"})),
    ("FE-005", "Node 25", frontend(scan=factory.frontend_scan(node="25.1.0"))),
    ("FE-006", "npm as process 1", frontend_started("npm", "start")),
    (
        "FE-006",
        "a shell as process 1",
        frontend(config=factory.frontend_config(cmd=("/bin/sh", "-c", "node server.js"))),
    ),
    ("FE-007", "another port", environment(PORT="8080")),
    ("FE-007", "listening on loopback", environment(HOSTNAME="localhost")),
    ("FE-008", "an undeclared public name", frontend_from(files={"lib/a.ts": "process.env.NEXT_PUBLIC_API_URL"})),
    ("FE-008.2", "a public value in ENV", environment(NEXT_PUBLIC_API_URL="https://example.org")),
    (
        "FE-008.2",
        "a public value at run time",
        frontend(definition=factory.frontend_definition(env=(EnvVariable("NEXT_PUBLIC_API_URL"),))),
    ),
    ("FE-010", "a path nobody answers", frontend_from("3000/api/health", "3000/healthz")),
    ("FE-011", "a heavy frontend", frontend(contents=weighing(factory.frontend_contents(), 200_000_001))),
    ("FE-016", "TypeScript sources", frontend_files(entry("/app/lib/a.ts"))),
    ("FE-016", "a build cache", frontend_files(entry("/app/.next/cache/x/y"))),
    ("BE-001", "gcc", files(entry("/usr/bin/gcc-14", mode=0o755))),
    ("BE-001.2", "libc6-dev", files(entry("/usr/include/stdio.h"))),
    ("BE-002", "Python 3.11", python("3.11.2-1")),
    ("BE-002.2", "packages of another Python", files(entry("/usr/local/lib/python3.12/site-packages/a.py"))),
    ("BE-002.2", "an extension of another Python", files(entry("/app/x.cpython-314-x86_64-linux-gnu.so"))),
    ("BE-003", "no hashes asked for", made_from("FROM scratch\nRUN pip install -r requirements.txt\n")),
    ("BE-003", "uv without its lock", made_from("FROM scratch\nRUN uv sync --no-dev\n")),
    (
        "BE-003.2",
        "a requirement without hash",
        with_files(**{"requirements.txt": "a==1\nx==1 --hash=sha256:0"}),
    ),
    ("BE-003.3", "what tests need", made_from("FROM scratch\nRUN uv sync --locked\n")),
    ("BE-005", "reload", started(*SERVER, "--reload")),
    ("BE-005", "four workers", started(*SERVER, "--workers=4")),
    ("BE-005", "a shell", started("/bin/sh", "-c", "uvicorn app.main:app")),
    ("BE-005", "another port", started("uvicorn", "app.main:app", "--port", "80")),
    ("BE-005", "no time to stop", {"config": config(cmd=SERVER)}),
    ("BE-005", "more time than there is", {"config": config(cmd=(*SERVER, "--timeout-graceful-shutdown", "10"))}),
    ("BE-008", "curl", {"config": config(healthcheck=HealthCheck(("CMD", "curl", "-f", "x")))}),
    ("BE-010", "a heavy backend", {"contents": weighing(contents(), 150_000_001)}),
    ("BE-015", "the tests", files(entry("/app/tests/test_a.py"))),
    ("BE-015", "a script", files(entry("/app/scripts/seed.py"))),
    ("BE-015", "the host's virtualenv", files(entry("/app/.venv/pyvenv.cfg"))),
    ("BE-015.2", "uv", files(entry("/usr/local/bin/uv", mode=0o755))),
    ("BE-017", "a literal origin", with_files(**{"app/cors.py": "allow_origins=['http://localhost:3000']"})),
    ("BE-017", "every origin", with_files(**{"app/cors.py": 'allow_origins = ["*"]'})),
]
"""Rule, mistake, and the parts of an otherwise good image that make it."""
