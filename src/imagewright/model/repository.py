"""What an image was made from, as its build saw it: Dockerfile, context, sources, repository.

Recorded beside the build, because the tree may have moved on when the image is judged; and part of the facts
document (``model.facts``) as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from imagewright.annotations import Doc
from imagewright.model.findings import NotChecked

Line = Annotated[int, Doc(description="counts from 1")]
InFinal = Annotated[bool, Doc(description="whether that is the stage that becomes the image")]
InStage = Annotated[str, Doc(description="name or number of the stage; empty before the first FROM")]
InFile = Annotated[str, Doc(description="relative to the context")]
LooksSecret = Annotated[bool, Doc(description="whether the name is that of a secret")]
Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StageFact:
    """One stage."""

    name: Annotated[str, Doc(description="its name, else its number")]
    base: Annotated[str, Doc(description="the stage or image in FROM")]
    line: Line
    final: InFinal
    builds: Annotated[bool, Doc(description="whether it runs a build: npm run build, next build…")]


@dataclass(frozen=True, slots=True)
class OutsideFact:
    """One use of an image that this repository does not make."""

    name: Annotated[str, Doc(description="as written")]
    repository: Annotated[str, Doc(description="without tag and digest; docker.io/library/ left out")]
    tag: Annotated[str, Doc(description="empty when there is none")]
    pinned: Annotated[bool, Doc(description="whether a digest is written beside it")]
    instruction: Annotated[str, Doc(description="FROM, COPY, ADD, RUN (a mount) or syntax")]
    line: Line


@dataclass(frozen=True, slots=True)
class VariableFact:
    """One variable of an ARG or ENV; its value is never kept."""

    instruction: Annotated[str, Doc(description="ARG or ENV")]
    name: Annotated[str, Doc(description="name of the variable")]
    literal: Annotated[bool, Doc(description="whether a value is written there, not only a reference to another")]
    looks_secret: LooksSecret
    stage: InStage
    final: InFinal
    line: Line


@dataclass(frozen=True, slots=True)
class CommandFact:
    """One CMD, ENTRYPOINT or HEALTHCHECK."""

    instruction: Annotated[str, Doc(description="CMD, ENTRYPOINT or HEALTHCHECK")]
    exec_form: Annotated[bool, Doc(description="whether it is a list of words, which needs no shell")]
    stage: InStage
    final: InFinal
    line: Line


@dataclass(frozen=True, slots=True)
class CopyFact:
    """One COPY or ADD."""

    source: Annotated[str, Doc(description="the stage or image it takes from; empty for the context")]
    paths: Annotated[str, Doc(description="what it takes, with spaces between")]
    target: Annotated[str, Doc(description="where it puts that")]
    chown: Annotated[str, Doc(description="--chown; empty means root")]
    stage: InStage
    final: InFinal
    line: Line


@dataclass(frozen=True, slots=True)
class RunFact:
    """One RUN."""

    text: Annotated[str, Doc(description="the command, here-documents included")]
    secrets: Annotated[str, Doc(description="ids of the secrets mounted, with spaces between")]
    caches: Annotated[str, Doc(description="folders of the cache mounts, with spaces between")]
    stage: InStage
    final: InFinal
    line: Line


@dataclass(frozen=True, slots=True)
class InstallFact:
    """One command that installs packages of a language, found by its words."""

    manager: Annotated[str, Doc(description="npm, yarn, pnpm, pip, uv or poetry")]
    command: Annotated[str, Doc(description="the command")]
    locked: Annotated[bool, Doc(description="whether it takes exactly what a lock file says: npm ci, --require-hashes")]
    development: Annotated[bool, Doc(description="whether it installs what only development needs")]
    before_build: Annotated[bool, Doc(description="whether a build uses what it installs")]
    stage: InStage
    final: InFinal
    line: Line


@dataclass(frozen=True, slots=True)
class DockerfileFacts:
    """The Dockerfile, read without running it."""

    file: Annotated[str, Doc(description="relative to the repository")]
    stages: Annotated[tuple[StageFact, ...], Doc(description="in order")]
    outside: Annotated[tuple[OutsideFact, ...], Doc(description="images that this repository does not make, in order")]
    variables: Annotated[tuple[VariableFact, ...], Doc(description="of ARG and ENV, in order")]
    commands: Annotated[tuple[CommandFact, ...], Doc(description="CMD, ENTRYPOINT and HEALTHCHECK, in order")]
    copies: Annotated[tuple[CopyFact, ...], Doc(description="COPY and ADD, in order")]
    runs: Annotated[tuple[RunFact, ...], Doc(description="RUN, in order")]
    installs: Annotated[tuple[InstallFact, ...], Doc(description="installations of language packages, in order")]
    user: Annotated[str, Doc(description="the last USER on the way to the image, as written; empty without one")]


@dataclass(frozen=True, slots=True)
class ContextFile:
    """One file a build may see."""

    path: InFile
    looks_like: Annotated[str, Doc(description="private key, environment file…")]


@dataclass(frozen=True, slots=True)
class ContextFacts:
    """The folder a build sees."""

    folder: Annotated[str, Doc(description="relative to the repository")]
    ignore_file: Annotated[str, Doc(description="the ignore file in force; empty when there is none")]
    lets_in: Annotated[Texts, Doc(description="what it would let in: .env, .git, node_modules, virtualenvs, keys")]
    secret_shaped: Annotated[tuple[ContextFile, ...], Doc(description="files that look secret and are let in")]


@dataclass(frozen=True, slots=True)
class PublicName:
    """One NEXT_PUBLIC_* variable: Next.js writes its value into what every browser gets."""

    name: Annotated[str, Doc(description="name of the variable")]
    declared: Annotated[bool, Doc(description="whether the Dockerfile has an ARG of that name")]
    looks_secret: LooksSecret
    file: Annotated[str, Doc(description="where it is first used: relative to the context, or the Dockerfile")]
    line: Line


@dataclass(frozen=True, slots=True)
class HealthPath:
    """One path that somebody will ask whether the service is well."""

    path: Annotated[str, Doc(description="/health…")]
    named_in: Annotated[str, Doc(description="run.live, run.ready or HEALTHCHECK")]
    route: Annotated[bool, Doc(description="whether a route of that path was found in the sources, by their text")]


@dataclass(frozen=True, slots=True)
class LiteralOrigin:
    """A place where the origins a browser may call from are written into the source."""

    file: InFile
    line: Line


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """A place where the file that makes the application also makes or migrates the schema of its database."""

    file: InFile
    line: Line


@dataclass(frozen=True, slots=True)
class LockFact:
    """One lock file of the context."""

    file: InFile
    kind: Annotated[str, Doc(description="pip or npm")]
    packages: Annotated[int, Doc(description="how many it names")]
    unhashed: Annotated[str, Doc(description="those without a hash, with spaces between")]


@dataclass(frozen=True, slots=True)
class FrameworkFact:
    """A framework's version in a lock file."""

    name: Annotated[str, Doc(description="next, react or react-dom")]
    version: Annotated[str, Doc(description="as written")]
    major: Annotated[int, Doc(description="-1 when it is no version")]
    minor: Annotated[int, Doc(description="-1 when it is no version")]
    patch: Annotated[int, Doc(description="-1 when it is no version")]
    file: InFile


@dataclass(frozen=True, slots=True)
class SourcesFacts:
    """What the files of the context say, those the ignore file lets in."""

    public_names: Annotated[tuple[PublicName, ...], Doc(description="NEXT_PUBLIC_* names, by name")]
    health_paths: Annotated[tuple[HealthPath, ...], Doc(description="paths named for health checks")]
    literal_origins: Annotated[tuple[LiteralOrigin, ...], Doc(description="allowed origins (CORS) that are literals")]
    schema_changes: Annotated[tuple[SchemaChange, ...], Doc(description="schema made where the application starts")]
    locks: Annotated[tuple[LockFact, ...], Doc(description="lock files, by name")]
    frameworks: Annotated[tuple[FrameworkFact, ...], Doc(description="locked frameworks, by name")]


@dataclass(frozen=True, slots=True)
class ActionFact:
    """One action or workflow that a workflow uses."""

    uses: Annotated[str, Doc(description="as written")]
    pinned: Annotated[bool, Doc(description="by commit or digest, or a part of this repository")]
    file: Annotated[str, Doc(description="relative to the repository")]
    line: Line


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """What git says."""

    ignore_tracked: Annotated[bool, Doc(description="whether git has the ignore file of the context")]
    ignore_ignored: Annotated[bool, Doc(description="whether git ignores the ignore file of the context")]
    public_tracked: Annotated[int, Doc(description="files below the context's public/ that git has")]


@dataclass(frozen=True, slots=True)
class Inputs:
    """The record: everything an image was made from, as facts. ``repository`` needs git."""

    dockerfile: DockerfileFacts
    context: ContextFacts
    sources: SourcesFacts
    actions: tuple[ActionFact, ...]
    repository: RepositoryFacts | NotChecked
