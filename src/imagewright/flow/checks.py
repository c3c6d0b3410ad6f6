"""test: what must hold before anything lands, in the order in which it is cheapest to fail."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from imagewright.errors import ToolFailed
from imagewright.tools import process

_STATIC = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",), ("lint-imports",))


def test(root: Path, *, unit: bool, match: str) -> None:
    """Run the checks with their output shown; raises ToolFailed naming those that failed."""
    pytest = ["pytest"]
    pytest += ["-k", match] if match else []
    if unit:
        commands = [(*pytest, "-m", "not integration")]
    else:
        commands = [*_STATIC, (*pytest, "--cov", "--cov-report=term:skip-covered")]
    failed = [" ".join(words) for words in commands if not _passes(root, words)]
    if failed:
        raise ToolFailed(f"{len(failed)} of {len(commands)} checks failed", why="\n".join(failed))


def _passes(root: Path, words: tuple[str, ...]) -> bool:
    program = Path(sys.prefix) / "bin" / words[0]
    print(f"$ {' '.join(words)}", flush=True)
    return process.show([program, *words[1:]], env=dict(os.environ), cwd=root) == 0
