"""Package URLs as far as they name a package: https://github.com/package-url/purl-spec, normalised for comparing."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

SCHEME = "pkg:"
# Types whose names have no upper case; the type's own page of the specification says so.
_LOWER = {
    *("alpm", "apk", "bitbucket", "bitnami", "composer", "deb", "github"),
    *("gitlab", "hex", "luarocks", "npm", "oci", "pub", "pypi"),
}


@dataclass(frozen=True, slots=True)
class Purl:
    """A package URL in its parts, percent-encoding undone; empty where it says nothing. The subpath is left out."""

    type: str
    namespace: tuple[str, ...]
    name: str
    version: str = ""
    qualifiers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Purl:
        """Read one; raises ValueError for what is no package URL."""
        if not text.startswith(SCHEME):
            raise ValueError(f"{text!r} is no package URL: it does not begin with {SCHEME}")
        path, _, query = text.removeprefix(SCHEME).partition("#")[0].partition("?")
        # NOTE: an @ before the last slash belongs to the namespace: pkg:npm/@scope/name.
        folder, _, last = path.strip("/").rpartition("/")
        raw, at, version = last.rpartition("@")
        kind, *namespace = [unquote(part) for part in folder.split("/") if part] or [""]
        name = unquote(raw if at else last)
        if not (kind and name):
            raise ValueError(f"{text!r} is no package URL: it needs a type and a name, {SCHEME}type/name")
        kind = kind.lower()
        if kind in _LOWER:
            name, namespace = name.lower(), [part.lower() for part in namespace]
        if kind == "pypi":
            name = name.replace("_", "-")
        return cls(kind, tuple(namespace), name, unquote(version) if at else "", _qualifiers(query))

    def __str__(self) -> str:
        path = "/".join(_quoted(part) for part in (self.type, *self.namespace, self.name))
        version = f"@{_quoted(self.version)}" if self.version else ""
        query = "&".join(f"{key}={_quoted(value)}" for key, value in self.qualifiers)
        return f"{SCHEME}{path}{version}" + (f"?{query}" if query else "")

    def covers(self, other: Purl) -> bool:
        """Whether the other is this package: the same name, and whatever this one says beyond it."""
        return (
            (self.type, self.namespace, self.name) == (other.type, other.namespace, other.name)
            and self.version in ("", other.version)
            and set(self.qualifiers) <= set(other.qualifiers)
        )


def covers(wanted: str, found: str) -> bool:
    """Whether the package URL ``wanted`` (version and qualifiers only if it matters) names the package ``found``.

    What is no package URL covers nothing and is covered by nothing.
    """
    try:
        return Purl.parse(wanted).covers(Purl.parse(found))
    except ValueError:
        return False


def _qualifiers(query: str) -> tuple[tuple[str, str], ...]:
    pairs = (pair.partition("=") for pair in query.split("&"))
    return tuple(sorted((key.lower(), unquote(value)) for key, _, value in pairs if key and value))


def _quoted(text: str) -> str:
    return quote(text, safe=":", errors="replace")
