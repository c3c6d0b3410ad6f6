"""hadolint: what is wrong with a Dockerfile before anything is built.

Output format: https://github.com/hadolint/hadolint (``--format json``), a flat array of findings. Nothing around or
inside the Dockerfile hides one: what is to be excused has a waiver. Left out are false alarms alone, about names that
the linter cannot know to be images of this repository.
"""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from imagewright import dockerfile as recipe
from imagewright.errors import ToolFailed
from imagewright.model.findings import Lint, LintFinding, ToolIdentity
from imagewright.reference import Digest
from imagewright.tools import process
from imagewright.tools.binary import Program, locate, remembered_sha256, sha256

TIMEOUT_SECONDS = 60.0
_HINT = "it comes with this program's requirements; run ./inv doctor"
PRAGMA = "PRAGMA"
"""The code of a finding that a comment tells the linter what to overlook; the linter itself has no switch for these."""
_NAMES = frozenset({"DL3006", "DL3022"})
"""The codes about the name of an image without a tag: in FROM, and in COPY where no stage is called that."""
_PRAGMA = re.compile(r"#[ \t]*(?:hadolint\b.*\bshell|shellcheck[ \t]+[\w-]+)[ \t]*=", re.IGNORECASE)
_VERSION = re.compile(r"\b(\d+\.\d+\.\d+)\b")


def find() -> Program:
    """The linter of the running environment, else of PATH; raises ToolMissing."""
    path = locate("hadolint", hint=_HINT)
    return Program(path, ToolIdentity("hadolint", _version(path), sha256(path)))


def digest() -> Digest:
    """Which bytes the linter is, as an earlier run may have read them; raises ToolMissing."""
    return remembered_sha256(locate("hadolint", hint=_HINT))


def lint(dockerfile: Path, name: str, *, needs: Iterable[str] = (), linter: Program | None = None) -> Lint:
    """Lint one Dockerfile.

    ``name`` is what findings call it (relative to the repository), ``needs`` are the images of the same repository
    that it may stand on. Raises ToolMissing, ToolFailed.
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
    text = dockerfile.read_text("utf-8", "replace")
    found = (*outside(parse(done.stdout, name), text, needs), *pragmas(text, name))
    return Lint(name, linter.identity, tuple(sorted(found, key=_place)))


def outside(found: Iterable[LintFinding], text: str, needs: Iterable[str]) -> tuple[LintFinding, ...]:
    """The findings without those that ask an image of this repository for a tag: it has none, and is built beside.

    Which names those are is said by ``needs``, and by nothing in the Dockerfile.
    """
    ours = frozenset(needs)
    lines = {one.line for one in recipe.parse(text).outside if one.name in ours} if ours else set()
    return tuple(one for one in found if one.code not in _NAMES or one.line not in lines)


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
