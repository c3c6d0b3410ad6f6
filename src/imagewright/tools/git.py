"""What git knows about the inputs of an image: the commit that last touched them, and whether the tree differs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagewright.commits import Commit
from imagewright.errors import ToolFailed
from imagewright.tools import process

_PORTION = 64
"""Commits read at first: most images were touched not long ago."""
_INITIAL, _DETACHED = "(initial)", "(detached)"
"""What git's status says in place of a commit and of a branch."""
_SEMVER = re.compile(r"v(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?")


@dataclass(frozen=True, slots=True)
class Head:
    """Where the work tree stands: the commit, its branch (empty when detached), and the tags on it."""

    commit: str
    branch: str
    tags: tuple[str, ...]
    dirty: bool


def head(root: Path) -> Head:
    """The state of the checkout; ``commit`` is empty outside git or before the first commit."""
    words = ("--porcelain=v2", "--branch", "--no-ahead-behind", "--untracked-files=normal")
    lines = _git(root, "-c", "status.showStash=false", "status", *words).splitlines()
    said = dict(line.removeprefix("# branch.").partition(" ")[::2] for line in lines if line.startswith("# branch."))
    commit = said.get("oid", _INITIAL)
    if commit == _INITIAL:
        return Head("", "", (), dirty=True)
    branch = said.get("head", _DETACHED)
    return Head(
        commit,
        "" if branch == _DETACHED else branch,
        tuple(_git(root, "tag", "--points-at", "HEAD").split()),
        dirty=not all(line.startswith("# ") for line in lines),
    )


def commits(root: Path, folders: Sequence[str]) -> Iterator[Commit]:
    """The history of some folders, newest first, with the files each commit touched; none outside git.

    Read in growing portions: who asks for the last commit only should not wait for the first.
    """
    # Settings of the user's must not change what is listed.
    words = ("-c", "log.showRoot=true", "log", "-z", "-c", "--name-only", "--no-renames", "--relative")
    skip, count = 0, _PORTION
    while True:
        portion = (f"--skip={skip}", f"--max-count={count}", "--no-show-signature", "--format=%x00%H %ct")
        found = _commits(os.fsdecode(_output(root, *words, *portion, "--", *folders)))
        yield from found
        if len(found) < count:
            return
        skip, count = skip + count, count * 4


def changed(root: Path, folders: Sequence[str]) -> tuple[str, ...]:
    """The files below some folders that differ from the commit the checkout stands at, untracked ones included."""
    inside = _git(root, "rev-parse", "--show-prefix")
    words = ("--porcelain", "-z", "--no-renames", "--untracked-files=all")
    entries = _output(root, "status", *words, "--", *folders).split(b"\0")
    return tuple(os.fsdecode(entry[3:]).removeprefix(inside) for entry in entries if entry)


def _commits(listed: str) -> list[Commit]:
    """The commits of a list in which an empty name stands before each, and a line break before its first file."""
    found: list[Commit] = []
    for text in listed.split("\0\0") if listed else ():
        head, _, names = text.strip("\0").partition("\0\n")
        commit, _, epoch = head.partition(" ")
        found.append(Commit(commit, int(epoch), tuple(names.split("\0")) if names else ()))
    return found


def is_work_tree(root: Path) -> bool:
    """Whether this is a checkout that git can be asked about."""
    return _git(root, "rev-parse", "--is-inside-work-tree") == "true"


def tracked(root: Path, folders: Iterable[str]) -> Iterator[str]:
    """The files git has at or below some folders of the checkout."""
    literal = (f":(literal){folder}" for folder in folders)
    listed = os.fsdecode(_output(root, "ls-files", "-z", "--", *literal))
    return (name for name in listed.split("\0") if name)


def ignored(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Those of the paths that git's own ignore files cover, tracked or not."""
    asked = b"".join(os.fsencode(path) + b"\0" for path in paths)
    covered = _output(root, "check-ignore", "--no-index", "-z", "--stdin", stdin=asked)
    return frozenset(os.fsdecode(name) for name in covered.split(b"\0") if name)


def remote_url(root: Path) -> str:
    """The origin's address as a web page would name it, without credentials; empty when there is none."""
    url = _git(root, "remote", "get-url", "origin")
    if match := re.fullmatch(r"(?:ssh://git@([^:/]+)(?::\d+)?/|git@([^:/]+):/?)(.+?)(?:\.git)?/?", url):
        return f"https://{match[1] or match[2]}/{match[3]}"
    if match := re.fullmatch(r"(https?://)(?:[^/]*@)?(.+?)(?:\.git)?/?", url):
        return f"{match[1]}{match[2]}"
    return ""


def tags_for(state: Head) -> tuple[str, ...]:
    """The image tags a checkout earns: short commit, branch, and ``v*`` semantic version tags.

    A dirty tree gets only ``<commit>-dirty``: nobody should take it for the commit.
    """
    short = state.commit[:12] or "uncommitted"
    if state.dirty:
        return (f"{short}-dirty",)
    names = [short]
    if state.branch:
        names.append(re.sub(r"[^A-Za-z0-9_.-]+", "-", state.branch).lstrip(".-")[:128])
    for tag in sorted(state.tags):
        if match := _SEMVER.fullmatch(tag):
            major, minor, patch, pre = match.groups()
            names.append(f"{major}.{minor}.{patch}{pre or ''}")
            if not pre:
                names += [f"{major}.{minor}", major]
    return tuple(dict.fromkeys(name for name in names if name))


def _git(root: Path, *words: str) -> str:
    """What git says as text without the spaces around it; otherwise as ``_output``."""
    return _output(root, *words).decode("utf-8", "replace").strip()


def _output(root: Path, *words: str, stdin: bytes = b"") -> bytes:
    """What git says, empty when it says no; raises ToolFailed when it refuses to look at all."""
    # Optional locks are off so that a status never writes to the repository it looks at.
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    done = process.run([process.find("git"), "-C", root, *words], env=env, stdin=stdin, check=False)
    if b"dubious ownership" in done.stderr:
        raise ToolFailed("git refuses to read this checkout", why=done.tail, hint="do what git says above")
    return done.stdout if done.returncode == 0 else b""
