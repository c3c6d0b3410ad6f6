"""specs: each area's tasks.md, written from its spec.md, the rules and the marks on the tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from imagewright.errors import ConfigurationError, Problem
from imagewright.files import write_atomically
from imagewright.flow.workspace import Workspace
from imagewright.model.verdict import Rule
from imagewright.specs import Proof, Spec, check, marked_tests, parse_spec, render, rule_proofs, summary


def specs(workspace: Workspace) -> Iterator[str]:
    """Write the checklists anew; a line for each says how far its spec is covered.

    Raises ConfigurationError when specs, rules and tests do not fit together; then nothing is written.
    """
    root = workspace.project.root
    areas, proofs = proven(root, workspace.policy().rules)
    for spec in areas:
        path = tasks_of(root, spec)
        write_atomically(path, render(spec, proofs).encode())
        yield f"{path.relative_to(root).as_posix()}: {summary(spec, proofs)}"


def proven(root: Path, rules: Iterable[Rule]) -> tuple[tuple[Spec, ...], tuple[Proof, ...]]:
    """The specs of a repository, and what covers their requirements; raises ConfigurationError with every mistake."""
    problems: list[Problem] = []
    areas = tuple(parse_spec(*file, problems) for file in _texts(root, "specs/*/*/spec.md"))
    known = [requirement.id for spec in areas for requirement in spec.requirements]
    tests = (proof for file in _texts(root, "tests/**/test_*.py") for proof in marked_tests(*file, problems))
    proofs = (*rule_proofs(rules, known), *tests)
    problems += check(areas, proofs)
    if problems:
        raise ConfigurationError(
            problems, hint="write the requirement into a spec.md, or mend the id; a rule may name what it covers"
        )
    return areas, proofs


def tasks_of(root: Path, spec: Spec) -> Path:
    """Where the checklist of a spec lies: beside it."""
    return (root / spec.file).with_name("tasks.md")


def _texts(root: Path, pattern: str) -> Iterator[tuple[str, str]]:
    for path in sorted(root.glob(pattern)):
        yield path.relative_to(root).as_posix(), path.read_text("utf-8")
