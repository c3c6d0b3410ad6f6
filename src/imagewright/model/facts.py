"""The facts document, schema ``imagewright/facts/v1``: everything a rule may ask about one image and platform.

The document is ``Facts`` as JSON; a rule reads a field by its dotted path (``config.uid``) or an item of a list as
``item``. The description beside each field is its documentation. Nothing is ever null: what is not known is -1,
empty, or said in ``checks``. Ages are not facts: a rule subtracts a date from ``now``, so the same image always has
the same facts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from imagewright.annotations import Doc
from imagewright.model.reported import (
    CheckFacts,
    FeedsFacts,
    FromWhom,
    LayerIndex,
    LicenceFact,
    LintFact,
    MisconfigurationFact,
    PackageFacts,
    RebuildFacts,
    SbomFact,
    ScanFacts,
    SecretFact,
    SeverityFacts,
    VulnerabilityFact,
)
from imagewright.model.repository import (
    ActionFact,
    ContextFacts,
    DockerfileFacts,
    RepositoryFacts,
    SourcesFacts,
)
from imagewright.model.runtimes import NextFacts, PythonFacts, RuntimeFact

SCHEMA = "imagewright/facts/v1"

Mode = Annotated[str, Doc(description="the twelve permission bits in octal, four digits: 4755")]
Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Which image this is."""

    name: Annotated[str, Doc(description="the name of its definition")]
    repository: Annotated[str, Doc(description="where it is pushed, without registry")]
    platform: Annotated[str, Doc(description="os/architecture[/variant]")]
    digest: Annotated[str, Doc(description="digest of the platform's manifest, sha256:…")]
    service: Annotated[str, Doc(description="what serves its declared port: node or python; empty when neither")]


@dataclass(frozen=True, slots=True)
class HealthCheckFacts:
    """The image's HEALTHCHECK."""

    present: Annotated[bool, Doc(description="whether one would run at all")]
    exec_form: Annotated[bool, Doc(description="whether it runs without a shell")]
    program: Annotated[str, Doc(description="the program it starts; empty without a health check")]
    program_exists: Annotated[bool, Doc(description="whether that program is an executable of the final file system")]


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """The image configuration: what runs, as whom, with which environment."""

    user: Annotated[str, Doc(description="USER as written; empty when unset")]
    uid: Annotated[int, Doc(description="the numeric user; 0 when unset, -1 when it is a name")]
    gid: Annotated[int, Doc(description="the numeric group; 0 when unset, -1 when it is a name")]
    numeric: Annotated[bool, Doc(description="whether USER is written uid:gid in digits")]
    ports: Annotated[tuple[int, ...], Doc(description="exposed ports, ascending; 0 for one that is no number")]
    entrypoint: Annotated[Texts, Doc(description="ENTRYPOINT, word by word")]
    cmd: Annotated[Texts, Doc(description="CMD, word by word")]
    program: Annotated[str, Doc(description="the name of process 1, without folder; empty when there is none")]
    options: Annotated[Mapping[str, str], Doc(description="the long options it is started with, and their values")]
    env: Annotated[Mapping[str, str], Doc(description="ENV; values of secret-looking names are hidden as ***")]
    secret_env: Annotated[Texts, Doc(description="names of variables that look like secrets and have a value")]
    labels: Annotated[Mapping[str, str], Doc(description="LABEL")]
    healthcheck: HealthCheckFacts
    working_dir: Annotated[str, Doc(description="WORKDIR")]
    volumes: Annotated[Texts, Doc(description="VOLUME paths")]
    stop_signal: Annotated[str, Doc(description="STOPSIGNAL; empty means SIGTERM")]


@dataclass(frozen=True, slots=True)
class BudgetFacts:
    """The most the image may weigh, as declared."""

    compressed: Annotated[int, Doc(description="bytes; -1 without a limit")]
    uncompressed: Annotated[int, Doc(description="bytes; -1 without a limit")]


@dataclass(frozen=True, slots=True)
class EnvFact:
    """One variable of the container's contract."""

    name: Annotated[str, Doc(description="its name")]
    required: Annotated[bool, Doc(description="whether the container cannot start without")]
    secret: Annotated[bool, Doc(description="whether its value is a secret")]
    when: Annotated[str, Doc(description="build or run")]


@dataclass(frozen=True, slots=True)
class DeclaredFacts:
    """The contract in image.toml."""

    user: Annotated[str, Doc(description="run.user")]
    port: Annotated[int, Doc(description="run.port; -1 for an image that serves nothing, such as a base")]
    writable: Annotated[Texts, Doc(description="run.writable: absolute paths")]
    live: Annotated[str, Doc(description="run.live; empty when not declared")]
    ready: Annotated[str, Doc(description="run.ready; empty when not declared")]
    stop_seconds: Annotated[int, Doc(description="run.stop_seconds: from SIGTERM to SIGKILL")]
    env: Annotated[tuple[EnvFact, ...], Doc(description="[env.*], by name")]
    budget: BudgetFacts


@dataclass(frozen=True, slots=True)
class SizeFacts:
    """How much the image weighs, all layers together."""

    compressed: Annotated[int, Doc(description="bytes as stored and pulled")]
    uncompressed: Annotated[int, Doc(description="bytes of the layers as tar streams")]
    files: Annotated[int, Doc(description="entries of the final file system that are not directories")]
    hidden: Annotated[int, Doc(description="bytes of files that a later layer removed or replaced: pulled, never seen")]


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One layer."""

    digest: Annotated[str, Doc(description="digest of the layer as stored")]
    diff_id: Annotated[str, Doc(description="digest of the uncompressed layer")]
    compressed: Annotated[int, Doc(description="bytes as stored")]
    uncompressed: Annotated[int, Doc(description="bytes as a tar stream")]
    files: Annotated[int, Doc(description="entries that are not directories")]
    created_by: Annotated[str, Doc(description="the history line that made it")]
    origin: FromWhom


@dataclass(frozen=True, slots=True)
class FileFact:
    """One file worth a rule's attention."""

    path: Annotated[str, Doc(description="absolute path")]
    kind: Annotated[str, Doc(description="file, directory, symlink, hardlink, device or fifo")]
    mode: Mode
    uid: Annotated[int, Doc(description="owner")]
    gid: Annotated[int, Doc(description="group")]
    size: Annotated[int, Doc(description="bytes")]
    layer: LayerIndex
    deleted: Annotated[bool, Doc(description="whether a later layer removed or replaced it: still inside the image")]
    sticky: Annotated[bool, Doc(description="whether the sticky bit is set")]
    looks_like: Annotated[str, Doc(description="what it was recognised as: setuid, shell, private key…")]
    origin: FromWhom = ""


@dataclass(frozen=True, slots=True)
class FilesFacts:
    """Files of the final file system that rules ask about; ``secret_shaped`` looks into every layer."""

    setuid: Annotated[tuple[FileFact, ...], Doc(description="files with the setuid or setgid bit")]
    capabilities: Annotated[tuple[FileFact, ...], Doc(description="files with file capabilities")]
    world_writable: Annotated[tuple[FileFact, ...], Doc(description="files and directories anybody may write")]
    shells: Annotated[tuple[FileFact, ...], Doc(description="command shells")]
    package_managers: Annotated[tuple[FileFact, ...], Doc(description="package managers, pip and npm included")]
    compilers: Annotated[tuple[FileFact, ...], Doc(description="compilers, linkers, build tools")]
    secret_shaped: Annotated[tuple[FileFact, ...], Doc(description="keys, .env, credentials by name; deleted ones too")]
    leftovers: Annotated[tuple[FileFact, ...], Doc(description="what only a build or a developer needs")]
    not_sealed: Annotated[
        tuple[FileFact, ...],
        Doc(description="what the image's user owns or may write, or, of the application, root does not own; topmost"),
    ]


@dataclass(frozen=True, slots=True)
class BaseFact:
    """An outside base the build used."""

    name: Annotated[str, Doc(description="the name in FROM")]
    source: Annotated[str, Doc(description="bootstrap, registry, or substitute: a registry's, where none can be made")]
    digest: Annotated[str, Doc(description="the bytes used")]
    expected: Annotated[str, Doc(description="the bytes images/bases.lock names; empty when it names none")]
    locked: Annotated[bool, Doc(description="whether they are the bytes of images/bases.lock")]
    locked_at: Annotated[str, Doc(description="when it was locked (RFC 3339, UTC); empty when not known")]


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """Where the inputs stand in git."""

    revision: Annotated[str, Doc(description="the last commit that touched them")]
    dirty: Annotated[bool, Doc(description="whether the tree differs from it")]
    url: Annotated[str, Doc(description="the repository; empty when not known")]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything known of one image and platform."""

    schema: Annotated[str, Doc(description=f"always {SCHEMA}")]
    image: ImageFacts
    config: ConfigFacts
    declared: DeclaredFacts
    sizes: SizeFacts
    layers: Annotated[tuple[LayerFacts, ...], Doc(description="bottom first")]
    files: FilesFacts
    runtimes: Annotated[tuple[RuntimeFact, ...], Doc(description="by name and line")]
    python: PythonFacts
    next: NextFacts
    dockerfile: DockerfileFacts
    context: ContextFacts
    sources: SourcesFacts
    actions: Annotated[tuple[ActionFact, ...], Doc(description="what CI workflows use, by file and line")]
    repository: RepositoryFacts
    lint: Annotated[tuple[LintFact, ...], Doc(description="what the Dockerfile linter found")]
    vulnerabilities: Annotated[tuple[VulnerabilityFact, ...], Doc(description="most severe first")]
    severities: SeverityFacts
    secrets: Annotated[tuple[SecretFact, ...], Doc(description="what the scanner found in files and configuration")]
    misconfigurations: Annotated[tuple[MisconfigurationFact, ...], Doc(description="about the image configuration")]
    licences: Annotated[tuple[LicenceFact, ...], Doc(description="by name")]
    packages: PackageFacts
    sboms: Annotated[tuple[SbomFact, ...], Doc(description="by format")]
    feeds: FeedsFacts
    rebuild: RebuildFacts
    bases: Annotated[tuple[BaseFact, ...], Doc(description="by name")]
    scan: ScanFacts
    source: SourceFacts
    checks: CheckFacts


def canonical(document: Mapping[str, Any]) -> bytes:
    """A JSON document as the bytes its digest is taken of: keys sorted, no spaces, UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
