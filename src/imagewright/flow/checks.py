"""test: what must hold before anything lands, in the order in which it is cheapest to fail. bench: what it costs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from imagewright.errors import ToolFailed
from imagewright.tools import process

_STATIC = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",), ("lint-imports",))

_SIDE_BY_SIDE = "3"
"""Integration tests at once: more than a small machine has cores, as half of their time they wait for others."""

_NO_TESTS = 5
"""pytest's exit code when no test was chosen."""


def test(root: Path, *, unit: bool, match: str) -> None:
    """Run the checks with their output shown; raises ToolFailed naming those that failed."""
    chosen = ("-k", match) if match else ()
    home = ("pytest", "-m", "not integration", *chosen, "-n", "auto")
    commands: tuple[tuple[str, ...], ...] = (home,)
    if not unit:
        measured = () if match else ("--cov", "--cov-report=term")
        commands = (
            *_STATIC,
            (*home, *measured),
            ("pytest", "-m", "integration", *chosen, "-n", _SIDE_BY_SIDE, "--dist", "worksteal"),
        )
    none_matched = (_NO_TESTS,) if match else ()
    failed = [" ".join(words) for words in commands if _code(root, words) not in (0, *none_matched)]
    if failed:
        raise ToolFailed(f"{len(failed)} of {len(commands)} checks failed", why="\n".join(failed))


def bench(root: Path, *, rounds: int, case: str) -> None:
    """Run the comparison of bench/ with its output shown; raises ToolFailed when a side of it fails."""
    chosen = ("--case", case) if case else ()
    if _code(root, ("python", "-m", "bench.pipeline", "--rounds", str(rounds), *chosen)):
        raise ToolFailed("the measurement broke off", hint="the output above says which side failed, and how")


def _code(root: Path, words: tuple[str, ...]) -> int:
    program = Path(sys.prefix) / "bin" / words[0]
    print(f"$ {' '.join(words)}", flush=True)
    return process.show([program, *words[1:]], env=dict(os.environ), cwd=root)
