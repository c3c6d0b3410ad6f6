"""A Dockerfile → its facts: what it stands on, copies, runs, installs and starts. Pure; nothing is executed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from imagewright.dockerfile import Dockerfile, Instruction, Outside, Stage
from imagewright.facts.installs import installs
from imagewright.facts.secrecy import is_secret, is_secret_name
from imagewright.model.definition import ImageDefinition
from imagewright.model.repository import (
    CommandFact,
    CopyFact,
    DockerfileFacts,
    OutsideFact,
    RunFact,
    StageFact,
    VariableFact,
)

_COMMANDS = ("CMD", "ENTRYPOINT", "HEALTHCHECK")
_ASSIGNMENT = re.compile(r"""([A-Za-z_]\w*)(?:=("(?:[^"\\]|\\.)*"|'[^']*'|(?:[^\s\\]|\\.)*))?""", re.DOTALL)
_REFERENCE = re.compile(r"\$\{\w+\}|\$\w+")
_MOUNT = re.compile(r"--mount=(.*)")
_BUILD = re.compile(r"\b(?:npm|pnpm|yarn|bun)\s+(?:run\s+)?build\b|\bnext\s+build\b")


def read_recipe(found: Dockerfile, definition: ImageDefinition) -> DockerfileFacts:
    """The facts of one image's Dockerfile."""
    final = found.final(definition.target)
    placed = tuple((stage, instruction) for stage in found.stages for instruction in stage.instructions)
    building = frozenset(stage.number for stage, instruction in placed if builds(instruction))
    return DockerfileFacts(
        file=definition.dockerfile,
        stages=tuple(
            StageFact(stage.label, stage.base, stage.line, stage == final, stage.number in building)
            for stage in found.stages
        ),
        outside=tuple(_outside(one) for one in found.outside if one.name not in definition.needs),
        variables=tuple(_variables(found, final)),
        commands=tuple(_commands(placed, final)),
        copies=tuple(_copies(placed, final)),
        runs=tuple(_runs(placed, final)),
        installs=installs(found, final, building),
        user=_user(found, final),
    )


def builds(instruction: Instruction) -> bool:
    """Whether an instruction runs the build of an application."""
    return instruction.keyword == "RUN" and bool(_BUILD.search(f"{instruction.text}\n{instruction.body}"))


def assignments(instruction: Instruction) -> Iterator[tuple[str, str]]:
    """The variables of an ARG or ENV with their values; empty for an ARG without default."""
    name, space, rest = instruction.text.partition(" ")
    if instruction.keyword == "ENV" and space and "=" not in name:
        yield name, rest.strip()
        return
    for match in _ASSIGNMENT.finditer(instruction.text):
        yield match[1], (match[2] or "").strip("\"'")


def _outside(outside: Outside) -> OutsideFact:
    bare, _, digest = outside.name.partition("@")
    folder, slash, last = bare.rpartition("/")
    last, _, tag = last.partition(":")
    repository = f"{folder}{slash}{last}".removeprefix("docker.io/").removeprefix("library/")
    return OutsideFact(outside.name, repository, tag, bool(digest), outside.instruction, outside.line)


def _variables(found: Dockerfile, final: Stage | None) -> Iterator[VariableFact]:
    heads: Iterable[tuple[Stage | None, Instruction]] = ((None, instruction) for instruction in found.head)
    placed = [*heads, *((stage, instruction) for stage in found.stages for instruction in stage.instructions)]
    for stage, instruction in placed:
        if instruction.keyword not in ("ARG", "ENV"):
            continue
        for name, value in assignments(instruction):
            yield VariableFact(
                instruction=instruction.keyword,
                name=name,
                literal=bool(_REFERENCE.sub("", value)),
                looks_secret=is_secret_name(name) or is_secret(name, value),
                stage=stage.label if stage else "",
                final=stage is not None and stage == final,
                line=instruction.line,
            )


_Placed = tuple[tuple[Stage, Instruction], ...]


def _commands(placed: _Placed, final: Stage | None) -> Iterator[CommandFact]:
    for stage, one in placed:
        if one.keyword in _COMMANDS:
            text = re.sub(r"(?i)\ACMD\s+", "", one.text) if one.keyword == "HEALTHCHECK" else one.text
            words = Instruction(one.keyword, (), text, one.line).words
            # NOTE: an empty list and NONE start nothing, so no shell either.
            exec_form = bool(words) or text == "[]" or text.upper() == "NONE"
            yield CommandFact(one.keyword, exec_form, stage.label, stage == final, one.line)


def _copies(placed: _Placed, final: Stage | None) -> Iterator[CopyFact]:
    for stage, one in placed:
        if one.keyword in ("COPY", "ADD"):
            *paths, target = one.words or one.text.split() or ("",)
            flags = dict(flag[2:].partition("=")[::2] for flag in one.flags)
            yield CopyFact(
                flags.get("from", ""),
                " ".join(paths),
                target,
                flags.get("chown", ""),
                stage.label,
                stage == final,
                one.line,
            )


def _runs(placed: _Placed, final: Stage | None) -> Iterator[RunFact]:
    for stage, one in placed:
        if one.keyword == "RUN":
            mounts = [_mount(match[1]) for flag in one.flags if (match := _MOUNT.fullmatch(flag))]
            yield RunFact(
                text="\n".join(filter(None, (" ".join(one.text.split()), one.body))),
                secrets=" ".join(_named(mounts, "secret", "id")),
                caches=" ".join(_named(mounts, "cache", "target")),
                stage=stage.label,
                final=stage == final,
                line=one.line,
            )


def _mount(text: str) -> dict[str, str]:
    keys = {"dst": "target", "destination": "target"}
    pairs = (part.partition("=")[::2] for part in text.strip('"').split(","))
    return {keys.get(key, key): value for key, value in pairs}


def _named(mounts: Iterable[dict[str, str]], kind: str, key: str) -> Iterator[str]:
    for mount in mounts:
        if mount.get("type") == kind:
            yield mount.get(key) or mount.get("target", "").rpartition("/")[2]


def _user(found: Dockerfile, final: Stage | None) -> str:
    users = [
        instruction.text
        for stage in (found.lineage(final) if final else ())
        for instruction in stage.instructions
        if instruction.keyword == "USER"
    ]
    return users[-1] if users else ""
