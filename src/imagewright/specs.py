"""The written specs: requirements out of ``spec.md``, what proves each of them, and the checklist in ``tasks.md``.

A rule proves the requirement it is named after (SEC-006.2: SEC-006) and those in its ``covers``. A test proves those of
its ``@pytest.mark.covers("SEC-027")``, which is read out of the source: no test is imported or run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard

from imagewright.errors import Problem
from imagewright.model.verdict import Rule
from imagewright.schema import near

HEADING = ("id", "requirement", "threshold", "level", "checked by")
LEVELS = ("must", "should")
SOURCES = ("image config", "layer walk", "Dockerfile", "container", "scanner", "linter", "evidence", "repository")
"""What a requirement can be checked against, in the words of the column ``checked by``."""
MARKER = "pytest.mark.covers"

_ID = re.compile(r"[A-Z]+-[0-9]{3}")
_HEAD = """\
# Tasks: {title}

Written by `./inv specs` from [spec.md](spec.md), the rules in `policies/` and the marks on the tests. A box is ticked
where a rule or a test covers the requirement, and both are named. No box is ticked by hand.

{summary}
"""
_ELSEWHERE = "not here: "
_NOBODY = "–"
_KINDS = ("rule", "test", "report")
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row of a spec. ``elsewhere`` says what would check it, for one that nothing here can check."""

    id: str
    text: str
    threshold: str
    levels: tuple[str, ...]
    sources: tuple[str, ...]
    elsewhere: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """One area: the file it is written in, its title and its requirements in order."""

    file: str
    title: str
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """That a rule or a test covers a requirement: ``file`` and ``name`` say which, ``level`` is that of the rule.

    A ``report`` is a rule that only says what would check the requirement elsewhere: it names, and proves nothing.
    """

    requirement: str
    kind: Literal["rule", "test", "report"]
    file: str
    name: str
    level: str = ""

    def __str__(self) -> str:
        if self.kind == "test":
            return f"test `{self.file}::{self.name}`"
        reported = "reported as not checked here by " if self.kind == "report" else ""
        return f"{reported}rule `{self.name}` in `{self.file}`"


def parse_spec(file: str, text: str, problems: list[Problem]) -> Spec:
    """The requirements in the table headed ``HEADING``; every mistake in a row is appended to ``problems``."""
    lines = text.splitlines()
    title = next((line.removeprefix("# ") for line in lines if line.startswith("# ")), "")
    rows = list(_rows(lines))
    if not title or not rows:
        problems.append(Problem(file, "", f"needs a title and a table: | {' | '.join(HEADING)} |"))
    read = (_requirement(row, (file, f"line {number}"), problems) for number, row in rows)
    return Spec(file, title, tuple(requirement for requirement in read if requirement))


def rule_proofs(rules: Iterable[Rule], known: Iterable[str]) -> Iterator[Proof]:
    """What the rules cover. One that is named after no requirement has to say what it covers."""
    ids = frozenset(known)
    for rule in rules:
        named = rule.id.partition(".")[0]
        own = (named,) if named in ids or not rule.covers else ()
        kind: Literal["rule", "report"] = "report" if rule.elsewhere else "rule"
        for covered in dict.fromkeys((*own, *rule.covers)):
            yield Proof(covered, kind, rule.file, rule.id, rule.level)


def marked_tests(file: str, text: str, problems: list[Problem]) -> Iterator[Proof]:
    """What the tests of one file say they cover; a mark that covers nothing is appended to ``problems``."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        problems.append(Problem(file, "", f"cannot be read: {error}"))
        return
    placed: list[ast.Call] = []
    for name, test in _tests(tree.body):
        for mark in filter(_is_mark, test.decorator_list):
            placed.append(mark)
            ids = [item.value for item in mark.args if isinstance(item, ast.Constant) and isinstance(item.value, str)]
            if not ids or len(ids) != len(mark.args) or mark.keywords:
                problems.append(Problem(file, name, f'{MARKER} takes ids in quotes: {MARKER}("SEC-027")'))
            yield from (Proof(covered, "test", file, name) for covered in ids)
    for mark in filter(_is_mark, ast.walk(tree)):
        if mark not in placed:
            problems.append(Problem(file, f"line {mark.lineno}", f"{MARKER} belongs on a test, and is on none"))


def check(specs: Iterable[Spec], proofs: Sequence[Proof]) -> Iterator[Problem]:
    """What does not fit together: ids written twice, proofs of nothing, rules of a level that is not asked for."""
    known: dict[str, tuple[Requirement, str]] = {}
    for spec in specs:
        for requirement in spec.requirements:
            if requirement.id in known:
                yield Problem(spec.file, requirement.id, f"is already written in {known[requirement.id][1]}")
            known.setdefault(requirement.id, (requirement, spec.file))
    for proof in proofs:
        if proof.requirement in known:
            yield from _misplaced(proof, *known[proof.requirement])
        else:
            hint = near(proof.requirement, list(known))
            yield Problem(proof.file, proof.name, f"covers {proof.requirement!r}, which no spec has{hint}")
    for requirement, file in known.values():
        levels = {proof.level for proof in proofs if proof.requirement == requirement.id and proof.kind != "report"}
        if levels == {"should"} and "must" in requirement.levels:
            yield Problem(file, requirement.id, "is a must, and nothing but should-rules covers it")


def render(spec: Spec, proofs: Sequence[Proof]) -> str:
    """The checklist of a spec, ticked where something covers the requirement."""
    of: dict[str, list[Proof]] = {}
    for proof in sorted(proofs, key=lambda proof: (_KINDS.index(proof.kind), proof.file, proof.name)):
        of.setdefault(proof.requirement, []).append(proof)
    lines = [line for one in spec.requirements for line in _item(one, of.get(one.id, []))]
    return "\n".join([_HEAD.format(title=spec.title, summary=summary(spec, proofs)), *lines, ""])


def summary(spec: Spec, proofs: Iterable[Proof]) -> str:
    """How far the spec is covered, in a sentence."""
    told = list(proofs)
    ids = {proof.requirement for proof in told if proof.kind != "report"}
    reported = {proof.requirement for proof in told if proof.kind == "report"} - ids
    here = [requirement.id for requirement in spec.requirements if not requirement.elsewhere]
    elsewhere = len(spec.requirements) - len(here)
    only = f", {count} reported as not checked" if (count := len(reported.intersection(here))) else ""
    rest = f"; {elsewhere} cannot be checked here" if elsewhere else ""
    return f"{len(ids.intersection(here))} of {len(here)} requirements are covered{only}{rest}."


def _rows(lines: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The cells of each row below a heading, with the number of its line."""
    inside = False
    for number, line in enumerate(lines, 1):
        if not line.startswith("|"):
            inside = False
            continue
        cells = tuple(cell.strip() for cell in _CELL.split(line.strip()))[1:-1]
        if cells == HEADING:
            inside = True
        elif inside and set(line) - set("|-: "):
            yield number, cells


def _requirement(cells: tuple[str, ...], at: tuple[str, str], problems: list[Problem]) -> Requirement | None:
    if len(cells) != len(HEADING) or not all(cells):
        problems.append(Problem(*at, f"must fill the columns {', '.join(HEADING)}"))
        return None
    name, text, threshold, level, how = cells
    if not _ID.fullmatch(name):
        problems.append(Problem(*at, f"must start with an id like SEC-001, not {name!r}"))
    elsewhere = how.removeprefix(_ELSEWHERE) if how.startswith(_ELSEWHERE) else ""
    levels = () if elsewhere and level == _NOBODY else _words(level, LEVELS, at, problems)
    sources = () if elsewhere else _words(how, SOURCES, at, problems)
    return Requirement(name, text, threshold, levels, sources, elsewhere)


def _words(cell: str, known: tuple[str, ...], at: tuple[str, str], problems: list[Problem]) -> tuple[str, ...]:
    words = tuple(word.strip() for word in cell.split(","))
    for word in words:
        if word not in known:
            problems.append(Problem(*at, f"no such word: {word!r}{near(word, known)}"))
    return words


def _misplaced(proof: Proof, requirement: Requirement, file: str) -> Iterator[Problem]:
    if requirement.elsewhere and proof.kind == "test":
        yield Problem(proof.file, proof.name, f"covers {requirement.id}, which {file} says is not checked here")
    if requirement.levels == ("should",) and proof.kind == "rule" and proof.level == "must":
        yield Problem(proof.file, proof.name, f"is a must, and {requirement.id} in {file} only a should")


def _is_mark(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "covers":
        return False
    return MARKER.endswith(ast.unparse(node.func))


def _tests(body: Iterable[ast.stmt], within: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """The test functions of a module and its test classes, under the names pytest gives them."""
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _tests(node.body, f"{within}{node.name}::")
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield f"{within}{node.name}", node


def _item(requirement: Requirement, proofs: list[Proof]) -> Iterator[str]:
    covered = any(proof.kind != "report" for proof in proofs)
    ticked = covered and not requirement.elsewhere
    yield f"- [{'x' if ticked else ' '}] **{requirement.id}** {requirement.text}: {requirement.threshold}"
    if requirement.elsewhere:
        yield f"  - not checked here: {requirement.elsewhere}"
    elif not proofs:
        yield "  - not covered yet"
    yield from (f"  - {proof}" for proof in proofs)
