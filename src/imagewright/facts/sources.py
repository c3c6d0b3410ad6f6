"""The texts of a context → what rules ask of them. Pure, and a search in text: nothing is run, nothing is resolved."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator, Mapping

from imagewright.dockerfile import Dockerfile
from imagewright.facts.locks import frameworks, locks
from imagewright.facts.recipe import assignments
from imagewright.facts.secrecy import is_secret_name
from imagewright.model.definition import ImageDefinition
from imagewright.model.repository import ActionFact, HealthPath, LiteralOrigin, PublicName, SchemaChange, SourcesFacts

SOURCES = (".py", ".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")
"""The ends of names of files whose text is looked into."""

_PUBLIC = re.compile(r"\bNEXT_PUBLIC_\w+")
_QUOTED_ORIGIN = r"[\[(]?\s*[rbf]?[\"'`](?:\*|\.\*|https?:)"
_ORIGINS = re.compile(
    rf"\ballow_origins?(?:_regex)?[\"']?\s*[=:]\s*{_QUOTED_ORIGIN}"
    rf"|Access-Control-Allow-Origin[\"'`]\s*(?:\]\s*=|[,:])\s*(?:value:\s*)?{_QUOTED_ORIGIN}"
    rf"|\bcors\(\s*\{{\s*origin:\s*{_QUOTED_ORIGIN}",
    re.IGNORECASE,
)
_APPLICATION = re.compile(r"\b(?:FastAPI|Starlette|Flask|Sanic)\(|\blifespan\b|\bon_event\(\s*[\"']startup")
_SCHEMA = re.compile(r"\bcreate_all\(|\bcommand\.upgrade\(|\bgenerate_schemas\b|[\"'\s]CREATE TABLE\b")
_ASKED_PATH = re.compile(
    r"https?://[^/\s\"']+(/[^\s\"'?#)]*)|[\"']GET[\"'],\s*[\"'](/[^\s\"'?#]*)|path:\s*[\"'](/[^\s\"'?#]*)"
)
_NEXT_ROUTE = re.compile(r"(?:src/)?app/(.*/)?(?:route|page)\.[jt]sx?")
_NEXT_PAGE = re.compile(r"(?:src/)?pages/(.*?)(?:/index)?\.[jt]sx?")
_GROUP = re.compile(r"\([^)]*\)/")
_PREFIX = re.compile(r"prefix\s*=\s*[\"'](/[^\"']*)[\"']")
_ROUTE = re.compile(r"\.(?:get|head|route|api_route|add_api_route|add_route|use|all)\(\s*[\"'`](/[^\"'`]*|)[\"'`]")
_USES = re.compile(r"^\s*-?\s*[\"']?uses[\"']?\s*:\s*[\"']?([^\s\"'#]+)", re.MULTILINE)
_PINNED = re.compile(r"\./.*|docker://.*@sha256:[0-9a-f]{64}|[^@]+@[0-9a-f]{40}")


def read_sources(texts: Mapping[str, str], recipe: tuple[str, Dockerfile], definition: ImageDefinition) -> SourcesFacts:
    """The facts of a context: ``texts`` by path, ``recipe`` the Dockerfile's text and what was read in it."""
    sources = {path: texts[path] for path in sorted(texts) if path.endswith(SOURCES)}
    text, found = recipe
    return SourcesFacts(
        public_names=tuple(_public_names({**sources, definition.dockerfile: text}, found)),
        health_paths=tuple(_health_paths(sources, found, definition)),
        literal_origins=tuple(
            LiteralOrigin(path, line) for path, body in sources.items() for line, _ in _found(_ORIGINS, body)
        ),
        schema_changes=tuple(
            SchemaChange(path, line)
            for path, body in sources.items()
            if _APPLICATION.search(body)
            for line, _ in _found(_SCHEMA, body)
        ),
        locks=locks(texts),
        frameworks=frameworks(texts),
    )


def actions(workflows: Mapping[str, str]) -> tuple[ActionFact, ...]:
    """What CI workflows use, by file and line."""
    return tuple(
        ActionFact(match[1], bool(_PINNED.fullmatch(match[1])), file, line)
        for file in sorted(workflows)
        for line, match in _found(_USES, workflows[file])
    )


def _found(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Each match with the line it ends in."""
    breaks = [match.start() for match in re.finditer("\n", text)]
    for match in pattern.finditer(text):
        yield bisect.bisect_left(breaks, match.end()) + 1, match


def _public_names(texts: Mapping[str, str], found: Dockerfile) -> Iterator[PublicName]:
    declared = {
        name
        for stage in found.stages
        for instruction in stage.instructions
        if instruction.keyword == "ARG"
        for name, _ in assignments(instruction)
    }
    first: dict[str, tuple[str, int]] = {}
    for path, text in texts.items():
        for line, match in _found(_PUBLIC, text):
            first.setdefault(match[0], (path, line))
    for name, (path, line) in sorted(first.items()):
        yield PublicName(name, name in declared, is_secret_name(name), path, line)


def _health_paths(sources: Mapping[str, str], found: Dockerfile, definition: ImageDefinition) -> Iterator[HealthPath]:
    named = [("run.live", definition.run.live), ("run.ready", definition.run.ready)]
    final = found.final(definition.target)
    for instruction in final.instructions if final else ():
        if instruction.keyword == "HEALTHCHECK":
            named += [("HEALTHCHECK", next(filter(None, groups))) for groups in _ASKED_PATH.findall(instruction.text)]
    routes = frozenset(_routes(sources))
    for who, path in dict.fromkeys(named):
        if path:
            yield HealthPath(path, who, (path.rstrip("/") or "/") in routes)


def _routes(sources: Mapping[str, str]) -> Iterator[str]:
    """The paths the sources seem to answer: Next.js by place, other frameworks by what is written beside a verb."""
    for path, text in sources.items():
        if match := _NEXT_ROUTE.fullmatch(path) or _NEXT_PAGE.fullmatch(path):
            yield "/" + _GROUP.sub("", match[1] or "").rstrip("/")
        prefixes = ["", *_PREFIX.findall(text)]
        yield from (
            (prefix + route).rstrip("/") or "/" for route in _unique(_ROUTE.findall(text)) for prefix in prefixes
        )


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
