"""What a running application does not need, and what it could change: by name, place and owner."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from imagewright.model.facts import FileFact
from imagewright.model.image import FileEntry, ImageConfig

_INSTALLED = re.compile(
    r".*/(?:node_modules|(?:site|dist)-packages)/.*|/(?:usr/(?!src/)|lib|lib64|bin|sbin|etc|var/lib)/.*"
)
_EVERYWHERE: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("source map", re.compile(r".+\.(?:js|mjs|cjs|css)\.map")),
    ("git repository", re.compile(r".*/\.git(?:/.*)?")),
    ("virtual environment", re.compile(r".*/(?:pyvenv\.cfg|\.venv|virtualenv)")),
    ("build cache", re.compile(r".*/(?:node_modules/\.cache|\.next/cache|\.npm/_cacache|\.cache/(?:pip|uv))/.*")),
    ("C header", re.compile(r"/usr(?:/local)?/include/.*\.h(?:pp|xx)?")),
)
_OF_THE_APPLICATION: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("TypeScript source", re.compile(r".+\.[mc]?tsx?")),
    (
        "test",
        re.compile(
            r".*/(?:tests?|__tests__|spec|e2e)/.*\.(?:py|pyc|[mc]?[jt]sx?|json|snap)"
            r"|.*/(?:test_[^/]*|[^/]*_test|conftest)\.py|.*\.(?:test|spec)\.[mc]?[jt]sx?"
        ),
    ),
    ("script", re.compile(r".+\.(?:sh|bash|ps1)|.*/(?:Makefile|Dockerfile|docker-compose\.ya?ml|scripts/.+)")),
)
# NOTE: a hundred thousand files are asked; this says no to nearly all of them at once.
_ANY = re.compile("|".join(f"(?:{shape.pattern})" for _, shape in (*_EVERYWHERE, *_OF_THE_APPLICATION)))


def leftover(path: str) -> str:
    """What a file of this absolute path was left over from; empty for what belongs there."""
    if not _ANY.fullmatch(path):
        return ""
    kinds = _EVERYWHERE if _INSTALLED.fullmatch(path) else (*_EVERYWHERE, *_OF_THE_APPLICATION)
    return next((kind for kind, shape in kinds if shape.fullmatch(path)), "")


def unsealed(config: ImageConfig, writable: Sequence[str]) -> Callable[[FileEntry], str]:
    """What says of an entry why the application is not sealed by it: its user could change it, or root does not own it.

    The folders of ``writable`` are meant to be written. Root may change everything, which is told elsewhere.
    """
    uid, gid = (int(text) if text.isdecimal() else -1 for text in config.user.partition(":")[::2])
    home = config.working_dir.rstrip("/")
    open_places = tuple(f"{place.rstrip('/')}/" for place in writable)

    def recognise(entry: FileEntry) -> str:
        if entry.uid == 0 and (entry.gid != gid or not entry.mode & 0o020):
            return ""
        if entry.kind == "symlink" or f"{entry.path}/".startswith(open_places):
            return ""
        if uid > 0 and entry.uid == uid:
            return "owned by the image's user"
        if gid > 0 and entry.gid == gid and entry.mode & 0o020:
            return "writable by the image's group"
        return "not root's" if entry.uid and home and f"{entry.path}/".startswith(f"{home}/") else ""

    return recognise


def topmost(facts: Iterable[FileFact]) -> tuple[FileFact, ...]:
    """The facts without those below a folder that is one of them already, for the same reason."""
    kept: list[FileFact] = []
    folders: dict[str, set[str]] = {}
    for fact in facts:
        above = folders.setdefault(fact.looks_like, set())
        if not any(fact.path[: at.start()] in above for at in re.finditer("/", fact.path)):
            kept.append(fact)
        if fact.kind == "directory":
            above.add(fact.path)
    return tuple(kept)
