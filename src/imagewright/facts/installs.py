"""Commands of a Dockerfile that install language packages: from a lock file or not, for development or not.

Found by the words of RUN lines: a script that is copied in and run is not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from imagewright.dockerfile import Dockerfile, Stage
from imagewright.model.repository import InstallFact

_SPLIT = re.compile(r"&&|\|\||[;|\n]|\bthen\b|\bdo\b")
_PRODUCTION_ENV = re.compile(r"\bNODE_ENV[= ][\"']?production\b")
_DEVELOPMENT_FILE = re.compile(r"(?:-r|--requirement)[= ]\S*(?:dev|test)\S*|\[(?:\w+,)*(?:dev|test)s?\b")


@dataclass(frozen=True, slots=True)
class _Manager:
    """How a package manager installs: the command, what binds it to its lock, and what decides about development."""

    name: str
    install: re.Pattern[str]
    locked: re.Pattern[str]
    development: Callable[[str, bool], bool]


def _unless(without: str, *, heeds_environment: bool = False) -> Callable[[str, bool], bool]:
    pattern = re.compile(without)
    return lambda text, production: not (pattern.search(text) or (heeds_environment and production))


def _dev_file(text: str, _production: bool) -> bool:
    return bool(_DEVELOPMENT_FILE.search(text))


_OPTIONS = r"(?:\s+--?\S+)*\s+"
_MANAGERS = (
    _Manager(
        "npm",
        re.compile(rf"\bnpm{_OPTIONS}(?:ci|clean-install|install|i|add)\b"),
        re.compile(rf"\bnpm{_OPTIONS}(?:ci|clean-install)\b"),
        _unless(r"--omit[= ]dev|--production|--only[= ]prod", heeds_environment=True),
    ),
    _Manager(
        "pnpm",
        re.compile(rf"\bpnpm{_OPTIONS}(?:install|i|add)\b"),
        re.compile(r"--frozen-lockfile"),
        _unless(r"--prod\b|--production|\s-P\b", heeds_environment=True),
    ),
    _Manager(
        "yarn",
        re.compile(r"\byarn(?:\s+(?:install|add)\b|\s*$|\s+--)"),
        re.compile(r"--frozen-lockfile|--immutable"),
        _unless(r"--production", heeds_environment=True),
    ),
    _Manager(
        "uv",
        re.compile(r"\buv\s+(?:sync|pip\s+(?:install|sync)|add)\b"),
        re.compile(r"--require-hashes|\bsync\b.*--(?:frozen|locked)"),
        lambda text, production: "--no-dev" not in text if "pip" not in text else _dev_file(text, production),
    ),
    _Manager(
        "poetry",
        re.compile(r"\bpoetry\s+(?:install|add)\b"),
        re.compile(r"\bpoetry\s+install\b"),
        _unless(r"--only[= ]main|--without[= ]\S*dev|--no-dev"),
    ),
    _Manager("pip", re.compile(rf"\bpip[0-9.]*{_OPTIONS}install\b"), re.compile(r"--require-hashes"), _dev_file),
)


def installs(found: Dockerfile, final: Stage | None, building: frozenset[int]) -> tuple[InstallFact, ...]:
    """Every such command in order; ``building`` are the stages that run a build."""
    return tuple(
        fact for stage in found.stages for fact in _of_stage(found, stage, final, _feeds(found, stage, building))
    )


def _of_stage(found: Dockerfile, stage: Stage, final: Stage | None, feeds_build: bool) -> Iterator[InstallFact]:
    production = any(
        one.keyword == "ENV" and _PRODUCTION_ENV.search(one.text)
        for below in found.lineage(stage)[:-1]
        for one in below.instructions
    )
    for one in stage.instructions:
        if one.keyword in ("ENV", "ARG") and _PRODUCTION_ENV.search(one.text):
            production = True
        if one.keyword != "RUN":
            continue
        for text in _SPLIT.split(" ".join(one.words) or f"{one.text}\n{one.body}"):
            command = " ".join(text.split())
            manager = next((manager for manager in _MANAGERS if manager.install.search(command)), None)
            if manager:
                here = production or bool(_PRODUCTION_ENV.search(command))
                yield InstallFact(
                    manager=manager.name,
                    command=command,
                    locked=bool(manager.locked.search(command)),
                    development=manager.development(command, here),
                    before_build=feeds_build,
                    stage=stage.label,
                    final=stage == final,
                    line=one.line,
                )


def _feeds(found: Dockerfile, stage: Stage, building: frozenset[int]) -> bool:
    """Whether this stage, or one that stands on it or takes from it, runs a build."""
    reached = {stage.number}
    for later in found.stages[stage.number + 1 :]:
        if reached & {source.number for source in found.sources(later)}:
            reached.add(later.number)
    return bool(reached & building)
