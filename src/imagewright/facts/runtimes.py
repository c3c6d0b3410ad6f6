"""Which languages an image runs, in which versions, and how its service is started. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import Scan
from imagewright.model.image import Contents, ImageConfig
from imagewright.model.runtimes import NextFacts, PythonFacts, RuntimeFact

_PYTHON_PACKAGE = re.compile(r"(?:lib)?python\d?(?:\.\d+)?(?:-(?:minimal|stdlib))?")
_NODE_PACKAGE = re.compile(r"node|nodejs(?:-current|-lts|\d+)?")
_VERSION = re.compile(r"(?:\d+:)?v?(\d+(?:\.\d+)*)")
_ENVIRONMENT = {"PYTHON_VERSION": "python", "NODE_VERSION": "node"}
_PROGRAM = re.compile(r".*/bin/(?:(node)|(python)(?:3(?:\.(\d+))?)?)")
_MINOR = re.compile(r".*(?:/python3\.(\d+)/(?:site|dist)-packages/.+|\.cpython-3(\d+)(?:-[^/]*)?\.(?:so|pyc))")
_SERVICE = re.compile(r"(node|npm|npx|yarn|pnpm|next)|(python[0-9.]*|uvicorn|gunicorn|hypercorn|fastapi)")


def runtimes(scan: Scan, config: ImageConfig, contents: Contents) -> tuple[RuntimeFact, ...]:
    """The runtimes inside, each once: what a package says goes before the environment, that before a program."""
    found: dict[str, RuntimeFact] = {}
    for fact in (*_packaged(scan), *_in_environment(config), *_programs(contents)):
        found.setdefault(fact.line, fact)
    known = {fact.name for fact in found.values() if fact.version}
    # A program without a version, beside one that has it, tells nothing new.
    telling = (fact for fact in found.values() if fact.version or fact.name not in known)
    return tuple(sorted(telling, key=lambda fact: (fact.name, fact.line)))


def service(definition: ImageDefinition, config: ImageConfig, installed: tuple[RuntimeFact, ...]) -> str:
    """The language of what serves the declared port: that of process 1, else the runtime inside."""
    if definition.run.port is None:
        return ""
    if match := _SERVICE.fullmatch(program(config)):
        return "node" if match[1] else "python"
    return next((fact.name for fact in installed), "")


def program(config: ImageConfig) -> str:
    """The name of process 1."""
    words = (*config.entrypoint, *config.cmd)
    return posixpath.basename(words[0]) if words else ""


def options(config: ImageConfig) -> dict[str, str]:
    """The long options of process 1, ``--name value`` or ``--name=value``; empty for one without a value."""
    words = (*config.entrypoint, *config.cmd)
    found: dict[str, str] = {}
    for word, after in zip_longest(words, words[1:], fillvalue=""):
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            found[name] = value if equals else "" if after.startswith("-") else after
    return found


def python(contents: Contents) -> PythonFacts:
    """The minor versions that installed packages and bytecode were made for."""
    minors = {int(match[1] or match[2]) for entry in contents.final if (match := _MINOR.fullmatch(entry.path))}
    return PythonFacts(tuple(f"3.{minor}" for minor in sorted(minors)))


def next_server(config: ImageConfig, contents: Contents) -> NextFacts:
    """What there is of a standalone Next.js server."""
    home = config.working_dir.rstrip("/")
    files = [entry.path for entry in contents.final if entry.kind != "directory"]
    return NextFacts(
        server=f"{home}/server.js" in files,
        static_files=sum(path.startswith(f"{home}/.next/static/") for path in files),
        public_files=sum(path.startswith(f"{home}/public/") for path in files),
    )


def _packaged(scan: Scan) -> Iterator[RuntimeFact]:
    for package in sorted(scan.packages, key=lambda package: (package.name, package.version)):
        if package.type in ("node-pkg", "npm", "yarn", "pnpm", "python-pkg"):
            continue  # a library that has the name of a runtime
        for name, pattern in (("node", _NODE_PACKAGE), ("python", _PYTHON_PACKAGE)):
            if pattern.fullmatch(package.name):
                yield from _known(name, package.version, "package")


def _in_environment(config: ImageConfig) -> Iterator[RuntimeFact]:
    for variable, value in config.env:
        if variable in _ENVIRONMENT:
            yield from _known(_ENVIRONMENT[variable], value, "environment")


def _known(name: str, text: str, known_from: str) -> Iterable[RuntimeFact]:
    if match := _VERSION.match(text):
        parts = match[1].split(".")
        line = ".".join(parts[: 1 if name == "node" else 2])
        yield RuntimeFact(name, match[1], f"{name} {line}", known_from)


def _programs(contents: Contents) -> Iterator[RuntimeFact]:
    for entry in contents.final:
        match = _PROGRAM.fullmatch(entry.path)
        if not match or entry.kind == "directory":
            continue
        node, _, minor = match.groups()
        name, version = ("node", "") if node else ("python", f"3.{minor}" if minor else "")
        yield RuntimeFact(name, version, f"{name} {version}".strip(), "path")
