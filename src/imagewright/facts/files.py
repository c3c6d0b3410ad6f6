"""Which files of an image a rule should hear about: recognised by name, mode and place, never by content."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace

from imagewright.facts.leftovers import leftover, topmost, unsealed
from imagewright.model.facts import FileFact, FilesFacts
from imagewright.model.image import Contents, FileEntry, ImageConfig
from imagewright.model.records import Build

_SHELLS = re.compile(r"(?:ba|da|a|z|k|mk|c|tc|fi)?sh|busybox|toybox")
_COMPILERS = re.compile(
    r"(?:[a-z0-9_]+-linux-(?:gnu|musl)[a-z0-9_]*-)?"
    r"(?:gcc|g\+\+|cc|c\+\+|c[89]9|cpp|clang|clang\+\+|as|ld|ld\.(?:bfd|gold|lld)|tcc|rustc|go|javac|make|cmake|ninja)"
    r"(?:-[0-9.]+)?"
)
_MANAGERS = re.compile(
    r"apt|apt-get|aptitude|dpkg|apk|yum|dnf[0-9]?|microdnf|rpm|zypper|pacman|brew|snap"
    r"|pip[0-9.]*|pipx|uvx?|poetry|conda|mamba|npm|npx|yarn|yarnpkg|pnpm|pnpx|corepack|gem|cargo"
)
_MANAGER_MODULES = re.compile(
    r".*/(?:(?:site|dist)-packages/(?:pip|uv|poetry)/__main__\.py|node_modules/(?:npm|yarn|pnpm|corepack)/package\.json)"
)
_SECRET_NAMES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("environment file", re.compile(r"\.env(?:\.(?!example$|sample$|template$|dist$).+)?")),
    ("SSH private key", re.compile(r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?")),
    ("private key", re.compile(r".+\.key|.*(?:private|[-_.]key|privkey).*\.pem")),
    ("key store", re.compile(r".+\.(?:p12|pfx|jks|keystore|kdbx)")),
    ("package registry credentials", re.compile(r"\.(?:npmrc|pypirc|yarnrc\.yml)")),
    ("network credentials", re.compile(r"\.netrc|\.git-credentials|\.htpasswd|\.pgpass")),
    ("cloud credentials", re.compile(r"service-account.*\.json")),
    ("cluster credentials", re.compile(r"kubeconfig")),
    ("infrastructure state", re.compile(r".+\.tfstate(?:\.backup)?")),
)
_SECRET_PLACES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("cloud credentials", re.compile(r".*/\.(?:aws/credentials|config/gcloud/[^/]+\.db)")),
    ("registry credentials", re.compile(r".*/\.docker/config\.json")),
    ("cluster credentials", re.compile(r".*/\.kube/config")),
    ("private key", re.compile(r"/etc/ssl/private/.+")),
    ("mounted secret", re.compile(r"/run/secrets/.+")),
)
# NOTE: a hundred thousand files are asked; these two say no to nearly all of them at once.
_ANY_NAME = re.compile("|".join(shape.pattern for _, shape in _SECRET_NAMES))
_ANY_PLACE = re.compile("|".join(shape.pattern for _, shape in _SECRET_PLACES))
_LINKS_FOLLOWED = 40  # as many as Linux follows


def notable_files(contents: Contents, config: ImageConfig, writable: Iterable[str], build: Build) -> FilesFacts:
    """The files rules ask about, ordered by path; ``writable`` are the folders the user may write."""
    final = contents.final
    files = FilesFacts(
        setuid=_select(final, _setuid),
        capabilities=_select(final, lambda entry: "file capabilities" if entry.capabilities else ""),
        world_writable=_select(final, _world_writable),
        shells=_select(final, _program("shell", _SHELLS)),
        package_managers=_select(final, _package_manager),
        compilers=_select(final, _program("compiler", _COMPILERS)),
        secret_shaped=tuple(
            sorted(
                _select(final, _secret) + _select(contents.deleted, _secret, deleted=True),
                key=lambda fact: (fact.path, fact.layer),
            )
        ),
        leftovers=topmost(_select(final, lambda entry: "" if entry.kind == "symlink" else leftover(entry.path))),
        not_sealed=topmost(_select(final, unsealed(config, tuple(writable)))),
    )
    named = {field.name: getattr(files, field.name) for field in fields(files)}
    placed = {
        name: tuple(replace(fact, origin=build.origin(fact.layer)) for fact in some) for name, some in named.items()
    }
    return FilesFacts(**placed)


def program_exists(program: str, path: str, final: Mapping[str, FileEntry]) -> bool:
    """Whether a container would find this executable; ``path`` is its PATH, ``final`` its files by path."""
    if not program:
        return False
    places = [program] if "/" in program else [posixpath.join(folder, program) for folder in path.split(":")]
    return any((entry := _resolve(place, final)) and entry.mode & 0o111 for place in places)


def _resolve(path: str, final: Mapping[str, FileEntry]) -> FileEntry | None:
    """The file behind a path, links in any of its parts followed."""
    todo = [part for part in reversed(path.split("/")) if part]
    at = "/"
    links = 0
    while todo:
        at = posixpath.normpath(posixpath.join(at, todo.pop()))
        entry = final.get(at)
        if entry and entry.kind == "symlink":
            links += 1
            if links > _LINKS_FOLLOWED:
                return None
            at = "/" if entry.target.startswith("/") else posixpath.dirname(at)
            todo += [part for part in reversed(entry.target.split("/")) if part]
    found = final.get(at)
    return found if found and found.kind in ("file", "hardlink") else None


def _select(
    entries: Iterable[FileEntry], recognise: Callable[[FileEntry], str], *, deleted: bool = False
) -> tuple[FileFact, ...]:
    return tuple(_fact(entry, name, deleted) for entry in entries if (name := recognise(entry)))


def _fact(entry: FileEntry, looks_like: str, deleted: bool) -> FileFact:
    return FileFact(
        path=entry.path,
        kind=entry.kind,
        mode=f"{entry.mode:04o}",
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        layer=entry.layer,
        deleted=deleted,
        sticky=bool(entry.mode & 0o1000),
        looks_like=looks_like,
    )


def _is_regular(entry: FileEntry) -> bool:
    return entry.kind in ("file", "hardlink")


def _setuid(entry: FileEntry) -> str:
    if not _is_regular(entry) or not entry.mode & 0o6000:
        return ""
    return "setuid" if entry.mode & 0o4000 else "setgid"


def _world_writable(entry: FileEntry) -> str:
    if not entry.mode & 0o002 or not (_is_regular(entry) or entry.kind == "directory"):
        return ""
    return "world-writable"


def _program(kind: str, names: re.Pattern[str]) -> Callable[[FileEntry], str]:
    def recognise(entry: FileEntry) -> str:
        folder, _, name = entry.path.rpartition("/")
        if entry.kind == "directory" or not folder.endswith(("/bin", "/sbin")) or not names.fullmatch(name):
            return ""
        return kind

    return recognise


_program_manager = _program("package manager", _MANAGERS)


def _package_manager(entry: FileEntry) -> str:
    if entry.path.endswith((".py", ".json")) and entry.kind != "directory" and _MANAGER_MODULES.fullmatch(entry.path):
        return "package manager"
    return _program_manager(entry)


def _secret(entry: FileEntry) -> str:
    if entry.kind != "hardlink" and not (entry.kind == "file" and entry.size):
        return ""
    return secret_shape(entry.path)


def secret_shape(path: str) -> str:
    """What kind of secret a file of this absolute path would hold; empty for an ordinary one."""
    name = path.rpartition("/")[2]
    if _ANY_NAME.fullmatch(name):
        return next(kind for kind, shape in _SECRET_NAMES if shape.fullmatch(name))
    if _ANY_PLACE.fullmatch(path):
        return next(kind for kind, shape in _SECRET_PLACES if shape.fullmatch(path))
    return ""
