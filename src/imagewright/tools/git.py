"""What git knows about the inputs of an image: the commit that last touched them, and whether the tree differs."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagewright.errors import ToolFailed
from imagewright.model.records import Source
from imagewright.tools import process

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
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return Head("", "", (), dirty=True)
    return Head(
        commit,
        _git(root, "symbolic-ref", "--quiet", "--short", "HEAD"),
        tuple(_git(root, "tag", "--points-at", "HEAD").split()),
        dirty=bool(_git(root, "status", "--porcelain", "--untracked-files=normal")),
    )


def source(root: Path, paths: Sequence[str], *, url: str = "") -> Source:
    """The last commit that touched ``paths``, its date, and whether they differ from it now.

    An image is named after its own inputs, so a commit elsewhere changes no byte of it.
    """
    line = _git(root, "log", "-1", "--no-show-signature", "--format=%H %ct", "--", *paths)
    if not line:
        return Source("unknown", 0, dirty=True, url=url)
    commit, _, epoch = line.partition(" ")
    dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=normal", "--", *paths))
    return Source(f"{commit}-dirty" if dirty else commit, int(epoch), dirty, url)


def is_work_tree(root: Path) -> bool:
    """Whether this is a checkout that git can be asked about."""
    return _git(root, "rev-parse", "--is-inside-work-tree") == "true"


def tracked(root: Path, path: str) -> tuple[str, ...]:
    """The files git has at or below a path of the checkout."""
    return tuple(name for name in _git(root, "ls-files", "-z", "--", f":(literal){path}").split("\0") if name)


def ignores(root: Path, path: str) -> bool:
    """Whether git's own ignore files cover a path, tracked or not."""
    return bool(_git(root, "check-ignore", "--no-index", "--", path))


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
    """What git says, empty when it says no; raises ToolFailed when it refuses to look at all."""
    # Optional locks are off so that a status never writes to the repository it looks at.
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    done = process.run([process.find("git"), "-C", root, *words], env=env, check=False)
    if b"dubious ownership" in done.stderr:
        raise ToolFailed("git refuses to read this checkout", why=done.tail, hint="do what git says above")
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""
