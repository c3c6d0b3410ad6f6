"""The names of the registry world, parsed once: digest, platform, reference.

A bare string never travels through this program as one of these.
Grammar: https://github.com/distribution/reference and the OCI image specification.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

_HEX = re.compile(r"[0-9a-f]{64}")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_REGISTRY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
_PLATFORM_PART = re.compile(r"[a-z0-9_.-]+")
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?")

DOCKER_HUB = "docker.io"
_OLD_DOCKER_HUB = "index.docker.io"


class Text:
    """A value that records and settings write as the one string it was parsed from."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Text:
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> CoreSchema:
        from pydantic_core import core_schema

        def read(value: object) -> Text:
            if isinstance(value, cls):
                return value
            if not isinstance(value, str):
                raise ValueError("must be a string")  # noqa: TRY004 # pydantic collects ValueErrors only
            return cls.parse(value)

        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(cls.parse, core_schema.str_schema()),
            python_schema=core_schema.no_info_plain_validator_function(read),
            serialization=core_schema.to_string_ser_schema(),
        )


@dataclass(frozen=True, slots=True, order=True)
class Digest(Text):
    """A sha256 content digest; ``hex`` is 64 lower-case hexadecimal digits."""

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            raise ValueError(f"not a sha256 digest: {self.hex!r}")

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Parse ``sha256:<hex>``; raises ValueError for anything else, other algorithms included."""
        algorithm, _, hexadecimal = text.partition(":")
        if algorithm != "sha256":
            raise ValueError(f"not a sha256 digest: {text!r}")
        return cls(hexadecimal)

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """The digest of these bytes."""
        return cls(hashlib.sha256(data).hexdigest())

    @property
    def short(self) -> str:
        """The first twelve digits, for people."""
        return self.hex[:12]

    def __str__(self) -> str:
        return f"sha256:{self.hex}"


@dataclass(frozen=True, slots=True, order=True)
class Platform(Text):
    """What a manifest runs on, as ``os/architecture[/variant]``."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Parse ``linux/amd64`` or ``linux/arm/v7``; raises ValueError."""
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(_PLATFORM_PART.fullmatch(part) for part in parts):
            raise ValueError(f"not a platform (os/architecture[/variant]): {text!r}")
        return cls(*parts)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True, order=True)
class Reference(Text):
    """The name of an image in a registry: ``[registry/]repository[:tag][@digest]``.

    Names without a registry mean Docker Hub, with ``library/`` before a single-part repository,
    as every docker client reads them.
    """

    registry: str
    repository: str
    tag: str = ""
    digest: Digest | None = None

    def __post_init__(self) -> None:
        if not _REGISTRY.fullmatch(self.registry):
            raise ValueError(f"not a registry host: {self.registry!r}")
        if not _REPOSITORY.fullmatch(self.repository) or len(self.repository) > 255:
            raise ValueError(f"not a repository name: {self.repository!r}")
        if self.tag and not _TAG.fullmatch(self.tag):
            raise ValueError(f"not a tag: {self.tag!r}")

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse a reference; raises ValueError with the offending part."""
        name, at, digest = text.partition("@")
        head, slash, rest = name.partition("/")
        if slash and ("." in head or ":" in head or head == "localhost"):
            registry, path = DOCKER_HUB if head == _OLD_DOCKER_HUB else head, rest
        else:
            registry, path = DOCKER_HUB, name
        repository, colon, tag = path.rpartition(":")
        if not colon:
            repository, tag = path, ""
        elif not tag:
            raise ValueError(f"the tag is empty: {text!r}")
        if registry == DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        return cls(registry, repository, tag, Digest.parse(digest) if at else None)

    @property
    def is_loopback(self) -> bool:
        """Whether the registry is on this machine, by its name alone."""
        return bool(_LOOPBACK.fullmatch(self.registry))

    @property
    def name(self) -> str:
        """``registry/repository`` without tag and digest."""
        return f"{self.registry}/{self.repository}"

    def with_tag(self, tag: str) -> Reference:
        """The same repository under another tag."""
        return replace(self, tag=tag)

    def with_digest(self, digest: Digest) -> Reference:
        """The same name, pinned to a digest."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"
