"""What an image runs and what it should not hold: runtimes, services, leftovers, and what its user could change."""

from __future__ import annotations

import pytest

from imagewright.facts import build_facts
from imagewright.facts.leftovers import leftover
from imagewright.model.definition import RunContract
from imagewright.model.facts import Facts
from imagewright.model.findings import Package
from imagewright.model.image import FileEntry
from tests.unit.factory import build, config, contents, definition, entry, inputs, lint, sboms, scan


def of(*files: FileEntry, packages: tuple[Package, ...] = (), port: int | None = 8000, **changes: object) -> Facts:
    run = RunContract(user="65532:65532", port=port, writable=("/tmp", "/data/"))
    return build_facts(
        *(definition(run=run), build(), config(**changes), contents(*files), lint()),
        *(scan(packages=packages), sboms(), inputs()),
    )


def package(name: str, version: str, type: str = "debian") -> Package:
    return Package(name, version, "os", type)


@pytest.mark.parametrize(
    ("found", "line", "version"),
    [
        (package("python3.13-minimal", "3.13.5-2+deb13u5"), "python 3.13", "3.13.5"),
        (package("libpython3.11-stdlib", "1:3.11.2-6"), "python 3.11", "3.11.2"),
        (package("nodejs", "20.19.2+dfsg-1"), "node 20", "20.19.2"),
        (package("node", "v24.19.0", "bitnami"), "node 24", "24.19.0"),
    ],
)
def test_a_runtime_is_known_by_its_package(found: Package, line: str, version: str) -> None:
    facts = of(packages=(found,))
    assert (line, version, "package") in [(one.line, one.version, one.known_from) for one in facts.runtimes]


def test_a_library_with_the_name_of_a_runtime_is_none() -> None:
    assert "node" not in {one.name for one in of(packages=(package("node", "22.0.0", "node-pkg"),)).runtimes}


def test_without_a_package_the_environment_and_the_programs_tell() -> None:
    facts = of(entry("/usr/local/bin/node", mode=0o755), env=(("PYTHON_VERSION", "3.12.4"),))
    assert [(one.line, one.known_from) for one in facts.runtimes] == [
        *(("node", "path"), ("python 3.12", "environment"), ("python 3.13", "path")),
    ]


@pytest.mark.parametrize(
    ("cmd", "port", "service"),
    [
        (("node", "server.js"), 3000, "node"),
        (("npm", "start"), 3000, "node"),
        (("/usr/bin/python3.13", "-m", "x"), 8000, "python"),
        (("uvicorn", "x"), 8000, "python"),
        (("/bin/sh", "-c", "x"), 8000, "python"),  # the runtime inside
        (("node",), None, ""),
    ],
)
def test_the_service_is_of_the_language_of_process_1(cmd: tuple[str, ...], port: int | None, service: str) -> None:
    assert of(cmd=cmd, port=port).image.service == service


def test_options_have_their_values() -> None:
    found = of(entrypoint=("/usr/bin/uvicorn",), cmd=("--reload", "--port", "80", "--workers=2", "--last")).config
    assert found.program == "uvicorn"
    assert found.options == {"--reload": "", "--port": "80", "--workers": "2", "--last": ""}


def test_an_image_may_start_nothing() -> None:
    found = of(entrypoint=(), cmd=()).config
    assert (found.program, found.options) == ("", {})


def test_packages_tell_for_which_python_they_are() -> None:
    files = ("/usr/lib/python3.12/site-packages/a.py", "/app/__pycache__/a.cpython-313.pyc", "/x.cpython-311-i386.so")
    assert of(*map(entry, files)).python.built_for == ("3.11", "3.12", "3.13")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/app/a.js.map", "source map"),
        ("/app/node_modules/x/a.mjs.map", "source map"),
        ("/app/a.tsx", "TypeScript source"),
        ("/app/node_modules/x/a.d.ts", ""),
        ("/app/tests/test_a.py", "test"),
        ("/app/lib/a.test.js", "test"),
        ("/usr/src/app/conftest.py", "test"),
        ("/usr/lib/python3.13/site-packages/x/tests/test_a.py", ""),
        ("/app/.git", "git repository"),
        ("/app/.venv/pyvenv.cfg", "virtual environment"),
        ("/app/node_modules/.cache/x", "build cache"),
        ("/root/.cache/pip/x", "build cache"),
        ("/usr/include/x86_64-linux-gnu/a.h", "C header"),
        ("/app/entrypoint.sh", "script"),
        ("/etc/profile.d/a.sh", ""),
        ("/app/latest/x.json", ""),
        ("/app/app/main.py", ""),
    ],
)
def test_leftovers_are_known_by_name_and_place(path: str, kind: str) -> None:
    assert leftover(path) == kind


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (entry("/app/a", uid=65532), "owned by the image's user"),
        (entry("/etc/a", gid=65532, mode=0o660), "writable by the image's group"),
        (entry("/app/a", uid=1000), "not root's"),
        (entry("/home/a", uid=1000), ""),
        (entry("/app/a", gid=65532), ""),
        (entry("/app/a", mode=0o664), ""),
        (entry("/data/x", uid=65532), ""),
        (entry("/data", uid=65532, kind="directory"), ""),
        (entry("/app/a", uid=65532, kind="symlink"), ""),
    ],
)
def test_what_the_images_user_could_change_is_named(file: FileEntry, why: str) -> None:
    assert [one.looks_like for one in of(file).files.not_sealed] == ([why] if why else [])


def test_a_folder_stands_for_all_below_it() -> None:
    files = (entry("/app", kind="directory", uid=65532), entry("/app/a", uid=65532), entry("/app-b/c", uid=65532))
    assert [one.path for one in of(*files).files.not_sealed] == ["/app", "/app-b/c"]
