"""What the texts of a context say: names, paths, origins, locks, workflows; and what an ignore file lets in."""

from __future__ import annotations

import json

import pytest

from imagewright import ignore
from imagewright.dockerfile import parse
from imagewright.facts.context import read_context
from imagewright.facts.sources import actions, read_sources
from imagewright.model.definition import RunContract
from imagewright.model.repository import SourcesFacts
from tests.unit.factory import definition


def read(text: str = "FROM scratch\n", live: str = "", **files: str) -> SourcesFacts:
    of = definition(run=RunContract(user="1:1", port=1, live=live))
    return read_sources({name.replace("__", "/"): body for name, body in files.items()}, (text, parse(text)), of)


def from_file(name: str, body: str, live: str = "") -> SourcesFacts:
    return read(live=live, **{name: body})


def test_public_names_are_found_with_their_place_and_declaration() -> None:
    sources = {"a.ts": "x\nenv.NEXT_PUBLIC_B + env.NEXT_PUBLIC_A", "b.ts": "NEXT_PUBLIC_A", "c.md": "NEXT_PUBLIC_C"}
    found = read("FROM scratch\nARG NEXT_PUBLIC_A\nENV NEXT_PUBLIC_D_TOKEN=x\n", **sources).public_names
    assert [(one.name, one.declared, one.looks_secret, one.file, one.line) for one in found] == [
        ("NEXT_PUBLIC_A", True, False, "a.ts", 2),
        ("NEXT_PUBLIC_B", False, False, "a.ts", 2),
        ("NEXT_PUBLIC_D_TOKEN", False, True, "dockerfiles/backend.Dockerfile", 3),
    ]


@pytest.mark.parametrize(
    ("file", "text", "path"),
    [
        ("app/api/health/route.ts", "", "/api/health"),
        ("src/app/(shop)/health/page.tsx", "", "/health"),
        ("app/route.js", "", "/"),
        ("pages/api/health.ts", "", "/api/health"),
        ("pages/health/index.ts", "", "/health"),
        ("main.py", "@app.get('/health')", "/health"),
        ("main.py", 'r = APIRouter(prefix="/health")\n@r.get("/live")', "/health/live"),
        ("main.py", 'r = APIRouter(prefix="/health")\n@r.get("")', "/health/"),
        ("server.mjs", "app.get(`/health`, f)", "/health"),
    ],
)
def test_a_health_path_is_a_route_of_the_source(file: str, text: str, path: str) -> None:
    assert [one.route for one in from_file(file, text, live=path).health_paths] == [True]
    assert [one.route for one in from_file(file, text, live=f"{path}z").health_paths] == [False]


@pytest.mark.parametrize(
    "check",
    [
        "CMD curl -f http://localhost:8000/health || exit 1",
        'CMD ["node", "-e", "fetch(\'http://127.0.0.1/health?x=1\')"]',
        'CMD ["/usr/bin/python3", "-c", "c.request(\'GET\', \'/health\')"]',
    ],
)
def test_a_health_check_names_its_path(check: str) -> None:
    found = read(f"FROM scratch\nHEALTHCHECK --interval=5s {check}\n").health_paths
    assert [(one.path, one.named_in) for one in found] == [("/health", "HEALTHCHECK")]


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("allow_origins=['*']", True),
        ('allow_origins = ["https://example.org"]', True),
        ("allow_origin_regex=r'https://.*'", True),
        ("res.setHeader('Access-Control-Allow-Origin', '*')", True),
        ("headers['Access-Control-Allow-Origin'] = 'http://localhost'", True),
        ("app.use(cors({ origin: 'http://localhost:3000' }))", True),
        ("allow_origins=settings.cors_origins", False),
        ("allow_origins=[]", False),
        ("res.setHeader('Access-Control-Allow-Origin', origin)", False),
    ],
)
def test_literal_origins_are_found(text: str, literal: bool) -> None:
    assert bool(from_file("main.py", text).literal_origins) is literal


def test_locks_tell_what_has_no_hash() -> None:
    requirements = "# a remark\n-r other.txt\na==1 \\\n    --hash=sha256:00\nb[x]==2 ; python_version > '3'\n"
    packages = {
        "": {"name": "root"},
        "node_modules/next": {"version": "16.4.5-canary.1", "integrity": "sha512-x"},
        "node_modules/a": {"version": "1.0.0"},
        "node_modules/local": {"link": True},
        "packages/local": {"version": "1.0.0", "link": True},
    }
    found = read(**{"requirements.txt": requirements, "package-lock.json": json.dumps({"packages": packages})})
    assert [(one.file, one.packages, one.unhashed) for one in found.locks] == [
        *(("package-lock.json", 2, "node_modules/a"), ("requirements.txt", 2, "b")),
    ]
    assert [(one.name, one.major, one.minor, one.patch) for one in found.frameworks] == [("next", 16, 4, 5)]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"packages": []}', '{"packages": {"node_modules/next": 1}}'])
def test_a_broken_lock_names_nothing(text: str) -> None:
    found = from_file("package-lock.json", text)
    assert ([one.packages for one in found.locks], found.frameworks) == ([0], ())


@pytest.mark.parametrize(
    ("uses", "pinned"),
    [
        ("actions/checkout@" + "a" * 40, True),
        ("actions/checkout@v4", False),
        ("actions/checkout@abcdef0", False),
        ("./.github/actions/own", True),
        ("docker://debian@sha256:" + "a" * 64, True),
        ("docker://debian:12", False),
    ],
)
def test_an_action_is_pinned_by_commit_or_digest(uses: str, pinned: bool) -> None:
    (found,) = actions({"x.yml": f"steps:\n  # uses: no/no@v1\n  - uses: {uses} # remark\n"})
    assert (found.uses, found.pinned, found.line) == (uses, pinned, 3)


def test_an_ignore_file_is_tried_at_the_top_and_in_the_folders_let_in() -> None:
    found = read_context("c", "x", ignore.parse("*\n!app\n**/.env*\n**/*.pem\n**/*.key\n"), {"app/a.py": "", "b": ""})
    assert found.lets_in == ("app/node_modules/x/index.js", "app/.venv/bin/python")


def test_a_package_managers_settings_are_secret_only_with_credentials_in_them() -> None:
    files = {".npmrc": "fund=false", "a/.npmrc": "//x/:_authToken=y", "b/.npmrc": "", "c/server.key": ""}
    found = read_context("c", "x", ignore.Ignore(), files).secret_shaped
    assert [one.path for one in found] == ["a/.npmrc", "b/.npmrc", "c/server.key"]
