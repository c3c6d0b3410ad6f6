"""A Dockerfile as values: its stages, their instructions, and the images it takes from outside. Pure.

https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_SYNTAX = re.compile(r"\A(?:\s*#.*\n)*?\s*#\s*syntax\s*=\s*(\S+)", re.IGNORECASE)
_INSTRUCTION = re.compile(r"\s*(ONBUILD\s+)?([A-Za-z]+)((?:\s+--\S+)*)(?:\s+|$)(.*)", re.IGNORECASE | re.DOTALL)
_FROM = re.compile(r"(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_TAKEN = re.compile(r"--(?:from=|mount=(?:\S*,)?\"?from=)([^\s,\"]+)", re.IGNORECASE)
_HEREDOC = re.compile(r"(?<!\S)\d*<<(-?)([\"']?)([^\s<\"']+)\2(?!\S)")
_IGNORED = re.compile(r"\s*(?:#|$)")
_CONTINUED = re.compile(r"\\[ \t]*$")
_WITH_FLAGS = ("FROM", "COPY", "ADD", "RUN", "HEALTHCHECK")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its continuations joined. ``body`` are its here-documents, ``line`` counts from 1."""

    keyword: str
    flags: tuple[str, ...]
    text: str
    line: int
    body: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The exec form's words, one by one; empty in shell form."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return ()
        return tuple(found) if isinstance(found, list) and all(isinstance(word, str) for word in found) else ()

    @property
    def taken(self) -> tuple[str, ...]:
        """The stages and images that COPY --from and mounts name."""
        if self.keyword not in ("COPY", "ADD", "RUN"):
            return ()
        return tuple(name for flag in self.flags for name in _TAKEN.findall(flag))


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM and what follows it. ``name`` is empty when it has none, ``base`` a stage or an image."""

    number: int
    name: str
    base: str
    line: int
    instructions: tuple[Instruction, ...] = ()

    @property
    def label(self) -> str:
        """Its name, else its number."""
        return self.name or str(self.number)


@dataclass(frozen=True, slots=True)
class Outside:
    """An image that comes from outside the Dockerfile: who names it (FROM, COPY…) and in which line."""

    name: str
    instruction: str
    line: int


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """The whole file. ``head`` are the instructions before the first FROM, ``outside`` in order of appearance."""

    head: tuple[Instruction, ...]
    stages: tuple[Stage, ...]
    outside: tuple[Outside, ...]

    def stage(self, name: str) -> Stage | None:
        """The stage of that name or number."""
        for stage in self.stages:
            if name and (name.lower() == stage.name.lower() or name == str(stage.number)):
                return stage
        return None

    def final(self, target: str = "") -> Stage | None:
        """The stage that becomes the image: the target, else the last one."""
        return (self.stage(target) if target else None) or (self.stages[-1] if self.stages else None)

    def sources(self, stage: Stage) -> tuple[Stage, ...]:
        """The stages that a stage directly stands on or takes files from."""
        names = [stage.base, *(name for instruction in stage.instructions for name in instruction.taken)]
        found = (self.stage(name) for name in dict.fromkeys(names))
        return tuple(one for one in found if one and one.number < stage.number)

    def lineage(self, stage: Stage) -> tuple[Stage, ...]:
        """The stage after all the stages below it, bottom first."""
        below = self.stage(stage.base)
        return (*(self.lineage(below) if below and below.number < stage.number else ()), stage)


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile; what is no instruction is passed over, as only BuildKit can refuse it."""
    head: list[Instruction] = []
    stages: list[tuple[str, str, int, list[Instruction]]] = []
    syntax = _SYNTAX.search(text)
    outside = [Outside(syntax[1], "syntax", text[: syntax.end()].count("\n") + 1)] if syntax else []
    known = {"scratch"}
    for instruction in _instructions(text.splitlines()):
        if instruction.keyword == "FROM" and (match := _FROM.match(instruction.text)):
            base, name = match[1], match[2] or ""
            if base.lower() not in known:
                outside.append(Outside(base, "FROM", instruction.line))
            known |= {name.lower()} - {""}
            stages.append((name, base, instruction.line, []))
            continue
        (stages[-1][3] if stages else head).append(instruction)
        outside += [
            Outside(name, instruction.keyword, instruction.line)
            for name in instruction.taken
            if name.lower() not in known and not name.isdigit()
        ]
    return Dockerfile(
        tuple(head),
        tuple(Stage(number, name, base, line, tuple(body)) for number, (name, base, line, body) in enumerate(stages)),
        tuple(outside),
    )


def _instructions(lines: list[str]) -> Iterator[Instruction]:
    """Each instruction with its continuations joined; comments left out, here-documents beside it."""
    at = 0
    while at < len(lines):
        joined, more, start = "", True, 0
        while more and at < len(lines):
            line, at = lines[at], at + 1
            if _IGNORED.match(line):
                continue
            start = start or at
            joined += _CONTINUED.sub("", line)
            more = bool(_CONTINUED.search(line))
        body: list[str] = []
        for dash, _, name in _HEREDOC.findall(joined):
            # NOTE: without its end it is no here-document: a FROM too many is an error, one too few is a gap.
            ends = (n for n in range(at, len(lines)) if (lines[n].lstrip("\t") if dash else lines[n]) == name)
            end = next(ends, at - 1)
            body += lines[at:end]
            at = end + 1
        if match := _INSTRUCTION.match(joined):
            yield _instruction(match, start, "\n".join(body))


def _instruction(match: re.Match[str], line: int, body: str) -> Instruction:
    _, keyword, flags, rest = match.groups()
    if keyword.upper() not in _WITH_FLAGS:
        return Instruction(keyword.upper(), (), f"{flags} {rest}".strip(), line, body)
    return Instruction(keyword.upper(), tuple(flags.split()), rest.strip(), line, body)
