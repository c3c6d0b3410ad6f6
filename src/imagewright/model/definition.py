"""What the user declares: images, their bases, and the settings of a run."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from imagewright.annotations import StrictInt
from imagewright.reference import Digest, Platform

BASES_FILE = "images/bases.toml"
LOCK_FILE = "images/bases.lock"
OPENVEX_SUFFIX = ".openvex.json"
"""How the names of OpenVEX documents end among the policies."""

ProfileName = Literal["local", "ci", "release"]


@dataclass(frozen=True, slots=True)
class Budget:
    """The most an image may weigh, in bytes; None where no limit was declared."""

    compressed: int | None = None
    uncompressed: int | None = None


@dataclass(frozen=True, slots=True)
class RunContract:
    """How the container is meant to run: rules, tests and deployment files read it from here.

    ``writable`` are absolute paths, ``live`` and ``ready`` HTTP paths on ``port``,
    ``stop_seconds`` the grace period between SIGTERM and SIGKILL.
    """

    user: str
    port: StrictInt | None = None
    writable: tuple[str, ...] = ()
    live: str = ""
    ready: str = ""
    stop_seconds: StrictInt = 10


@dataclass(frozen=True, slots=True)
class EnvVariable:
    """A variable of the container's contract; its value is never known here."""

    name: str
    required: bool = False
    secret: bool = False
    when: Literal["build", "run"] = "run"
    description: str = ""


@dataclass(frozen=True, slots=True)
class ImageDefinition:
    """One ``images/<name>/image.toml``. Paths are relative to the repository, with forward slashes."""

    name: str
    title: str
    description: str
    repository: str
    licenses: str
    file: str
    dockerfile: str
    context: str
    run: RunContract
    target: str = ""
    platforms: tuple[Platform, ...] = (Platform("linux", "amd64"),)
    needs: tuple[str, ...] = ()
    args: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    budget: Budget = Budget()
    env: tuple[EnvVariable, ...] = ()


@dataclass(frozen=True, slots=True)
class BaseDefinition:
    """An outside base: the name Dockerfiles use, and where its bytes come from.

    ``bootstrap`` assembles a Debian suite from signed packages; ``registry`` takes ``name``
    (or ``reference``) from an image registry.
    """

    name: str
    source: Literal["bootstrap", "registry"]
    suite: str = ""
    include: tuple[str, ...] = ()
    reference: str = ""


@dataclass(frozen=True, slots=True)
class LockedBase:
    """Which manifest stands behind a base name. ``epoch`` (Unix seconds) is the source date of a bootstrap."""

    name: str
    platform: Platform
    source: Literal["bootstrap", "registry"]
    digest: Digest
    locked: str
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """``database``: empty for the scanner's own default, an OCI reference, or a directory."""

    database: str = ""
    timeout_seconds: StrictInt = 300


@dataclass(frozen=True, slots=True)
class FeedFile:
    """A feed about vulnerabilities as it was published. ``file`` is relative to the repository or the cache folder."""

    file: str
    sha256: Digest
    date: datetime.date


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """How likely each vulnerability is exploited (EPSS, FIRST), and which are (KEV, CISA); None: nobody looks."""

    epss: FeedFile | None = None
    kev: FeedFile | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a run: ``[tool.imagewright]`` under the environment's ``IMAGEWRIGHT_*``.

    ``registry`` is ``local`` (one this program starts on loopback) or ``host[:port][/prefix]``;
    ``insecure`` registries are spoken to over plain HTTP; ``engine`` says which engine may be used;
    ``source_url`` is where the repository lives when git's origin is no web address.
    """

    registry: str = "local"
    insecure: tuple[str, ...] = ()
    profile: ProfileName = "local"
    engine: Literal["auto", "environment", "embedded"] = "auto"
    source_url: str = ""
    ca_bundle: str = ""
    scan: ScanSettings = ScanSettings()
    feeds: FeedSettings = FeedSettings()


@dataclass(frozen=True, slots=True)
class Project:
    """Everything declared in one repository. ``images`` are ordered by name; ``root`` is absolute."""

    root: Path
    settings: Settings
    images: tuple[ImageDefinition, ...]
    bases: tuple[BaseDefinition, ...] = ()
    locked: tuple[LockedBase, ...] = field(default=())

    def image(self, name: str) -> ImageDefinition:
        """The image of that name; KeyError when there is none."""
        for image in self.images:
            if image.name == name:
                return image
        raise KeyError(name)
