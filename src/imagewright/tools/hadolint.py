"""hadolint: what is wrong with a Dockerfile before anything is built.

Output format: https://github.com/hadolint/hadolint (``--format json``), a flat array of findings. Nothing around or
inside the Dockerfile hides one: what is to be excused has a waiver.
"""

from __future__ import annotations

import functools
import re
import tempfile
from pathlib import Path

from imagewright.errors import ToolFailed
from imagewright.model.findings import Lint, LintFinding, ToolIdentity
from imagewright.reference import Digest
from imagewright.tools import process
from imagewright.tools.binary import Program, locate, remembered_sha256, sha256

TIMEOUT_SECONDS = 60.0
_HINT = "it comes with this program's requirements; run ./inv doctor"
PRAGMA = "PRAGMA"
"""The code of a finding that a comment tells the linter what to overlook; the linter itself has no switch for these."""
_PRAGMA = re.compile(r"#[ \t]*(?:hadolint\b.*\bshell|shellcheck[ \t]+[\w-]+)[ \t]*=", re.IGNORECASE)
_VERSION = re.compile(r"\b(\d+\.\d+\.\d+)\b")


def find() -> Program:
    """The linter of the running environment, else of PATH; raises ToolMissing."""
    path = locate("hadolint", hint=_HINT)
    return Program(path, ToolIdentity("hadolint", _version(path), sha256(path)))


def digest() -> Digest:
    """Which bytes the linter is, as an earlier run may have read them; raises ToolMissing."""
    return remembered_sha256(locate("hadolint", hint=_HINT))


def lint(dockerfile: Path, name: str, *, linter: Program | None = None) -> Lint:
    """Lint one Dockerfile.

    ``name`` is what findings call it (relative to the repository). Raises ToolMissing, ToolFailed.
    """
    linter = linter or find()
    # NOTE: hadolint looks for a configuration around itself and at home; an ignore nobody sees is no ignore.
    with tempfile.TemporaryDirectory(prefix="imagewright-") as empty:
        done = process.run(
            [linter.path, "--no-fail", "--no-color", "--disable-ignore-pragma", "-f", "json", dockerfile.resolve()],
            env={"PATH": "/usr/bin:/bin", "HOME": empty},
            cwd=Path(empty),
            timeout=TIMEOUT_SECONDS,
        )
    found = (*parse(done.stdout, name), *pragmas(dockerfile.read_text("utf-8", "replace"), name))
    return Lint(name, linter.identity, tuple(sorted(found, key=_place)))


def pragmas(text: str, dockerfile: str) -> tuple[LintFinding, ...]:
    """The comments that would switch ShellCheck off, for a file (another shell) or for a here-document (directives)."""
    why = "a comment tells the linter what to overlook; name the shell in SHELL, excuse a finding with a waiver"
    places = ((number, _PRAGMA.search(line)) for number, line in enumerate(text.splitlines(), start=1))
    return tuple(
        LintFinding(dockerfile, number, match.start() + 1, "warning", PRAGMA, why) for number, match in places if match
    )


def parse(text: bytes | str, dockerfile: str) -> tuple[LintFinding, ...]:
    """hadolint's JSON as findings about ``dockerfile``, in file order; raises ToolFailed when it is not that."""
    from pydantic import ValidationError

    from imagewright.tools.hadolint_wire import FINDINGS  # which a run that lints nothing need not load

    try:
        findings = FINDINGS.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
        hint = "is hadolint a version this program knows? ./inv doctor tells"
        raise ToolFailed(f"hadolint's output for {dockerfile} cannot be understood", why=why, hint=hint) from error
    typed = (LintFinding(dockerfile, f.line, f.column, f.level, f.code, f.message) for f in findings)
    return tuple(sorted(typed, key=_place))


def _place(finding: LintFinding) -> tuple[int, int, str]:
    return finding.line, finding.column, finding.code


@functools.cache
def _version(path: Path) -> str:
    said = process.run([path, "--version"], env={}, timeout=TIMEOUT_SECONDS).stdout.decode("utf-8", "replace")
    found = _VERSION.search(said)
    if found is None:
        raise ToolFailed("hadolint did not tell its version", why=said.strip()[:200])
    return found[1]
