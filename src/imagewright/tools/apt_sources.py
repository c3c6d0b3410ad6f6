"""Pure: what the host's apt sources say about Debian's archive, and a private source list made from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from imagewright.errors import ToolMissing

DEFAULT_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<components>.*)")


@dataclass(frozen=True, slots=True)
class Source:
    """One suite of one binary package archive. ``signed_by`` is a keyring file, or empty where none was named."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """Debian's archive as this host reaches it; ``updates`` and ``security`` are empty where it uses neither."""

    main: str
    updates: str = ""
    security: str = ""
    keyring: str = DEFAULT_KEYRING


def parse_deb822(text: str) -> Iterator[Source]:
    """The enabled binary sources of a ``.sources`` file; stanzas that make no sense are passed over, as apt does."""
    for stanza in re.split(r"\n[ \t]*\n", _without_comments(text)):
        fields = {name.strip().lower(): value for name, value in _fields(stanza)}
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                components = tuple(fields.get("components", "").split())
                yield Source(uri.rstrip("/"), suite, components, _keyring(fields.get("signed-by", "")))


def parse_one_line(text: str) -> Iterator[Source]:
    """The binary sources of a ``.list`` file."""
    for line in _without_comments(text).splitlines():
        if match := _ONE_LINE.fullmatch(line.split("#")[0].strip()):
            options = dict(re.findall(r"([\w-]+)=(\S+)", match["options"] or ""))
            components = tuple(match["components"].split())
            yield Source(match["uri"].rstrip("/"), match["suite"], components, _keyring(options.get("signed-by", "")))


def debian_archive(sources: Iterable[Source], codename: str) -> Archive:
    """Find Debian's own archive among the host's sources; third-party ones carry the same suite names.

    Debian's are signed by its keyring (or name none), have a ``main``, and come with an updates suite wherever
    one is configured. Raises ToolMissing when there is none.
    """
    ours = [source for source in sources if "main" in source.components and _is_debian(source.signed_by)]
    by_suite = {
        suffix: [source for source in ours if source.suite == f"{codename}{suffix}"]
        for suffix in ("", "-updates", "-security")
    }
    updates = [source.uri for source in by_suite["-updates"]]
    candidates = sorted(by_suite[""], key=lambda source: source.uri not in updates)
    if not candidates:
        raise ToolMissing(
            f"the host's apt sources name no Debian archive for {codename!r}",
            hint="add Debian's own archive to /etc/apt/sources.list.d, or install the tools by hand (./inv doctor)",
        )
    main = candidates[0]
    security = [source.uri for source in by_suite["-security"]]
    return Archive(
        main.uri,
        main.uri if main.uri in updates else "",
        security[0] if security else "",
        main.signed_by or DEFAULT_KEYRING,
    )


def source_list(archive: Archive, suite: str) -> str:
    """The one-line source list of ``suite`` with its updates and security fixes."""
    option = f"[signed-by={archive.keyring}]"
    lines = [f"deb {option} {archive.main} {suite} main"]
    if archive.updates:
        lines.append(f"deb {option} {archive.updates} {suite}-updates main")
    if archive.security:
        lines.append(f"deb {option} {archive.security} {suite}-security main")
    return "\n".join(lines) + "\n"


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _fields(stanza: str) -> Iterator[tuple[str, str]]:
    for field in re.split(r"\n(?![ \t])", stanza):
        name, colon, value = field.partition(":")
        if colon:
            yield name, value.strip()


def _keyring(value: str) -> str:
    """The keyring file named, or ``other`` for keys written out or given by fingerprint: not how Debian's are."""
    return value if not value or (value.startswith("/") and len(value.split()) == 1) else "other"


def _is_debian(keyring: str) -> bool:
    return not keyring or "debian-archive" in keyring
