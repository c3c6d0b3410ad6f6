"""Where a run works: the project and the places its results go, opened once a verb."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from imagewright import config
from imagewright.errors import ConfigurationError, EvidenceError, Problem
from imagewright.evidence import Evidence
from imagewright.files import locked
from imagewright.model.definition import OPENVEX_SUFFIX, ImageDefinition, Project
from imagewright.model.image import Image, Manifest
from imagewright.oci.layout import Store
from imagewright.plan import select
from imagewright.progress import Progress, choose
from imagewright.reference import Platform
from imagewright.schema import near

if TYPE_CHECKING:
    from imagewright.model.verdict import Policy, Profile


@dataclass(frozen=True, slots=True)
class Workspace:
    """A project with its store, evidence and reports, and where progress is shown."""

    project: Project
    environ: Mapping[str, str]
    out: Path
    store: Store
    evidence: Evidence
    progress: Progress

    @property
    def scanner_cache(self) -> Path:
        """What the scanner found in layers, a folder for each name that a scan goes by."""
        return self.out / "cache" / "scanner"

    @property
    def layer_cache(self) -> Path:
        """What each layer holds, a file named after its digest."""
        return self.out / "cache" / "layers"

    def named(self, names: tuple[str, ...]) -> tuple[ImageDefinition, ...]:
        """Exactly the named images; all of them when none is named."""
        ordered = select(self.project, names)
        return tuple(image for image in ordered if not names or image.name in names)

    def built(self, names: tuple[str, ...]) -> tuple[tuple[ImageDefinition, Image], ...]:
        """The named images as they lie in the store; raises EvidenceError that names all which were not built."""
        asked = self.named(names)
        try:
            return tuple((image, self.store.image(image.name)) for image in asked)
        except EvidenceError:
            there = self.store.names()
            absent = [image.name for image in asked if image.name not in there]
            if len(absent) < 2:
                raise
            which = "".join(f" -i {name}" for name in absent) if names else ""
            raise EvidenceError(f"{', '.join(absent)} have not been built", hint=f"./inv build{which}") from None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder beside the store (same file system), removed afterwards."""
        parent = self.out / ".scratch"
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def policy(self) -> Policy:
        """The rules, waivers and profiles in ``policies/``; raises ConfigurationError with every mistake."""
        return _policy(policy_files(self.project.root))

    def profile(self, policy: Policy) -> Profile:
        """The profile in force; raises ConfigurationError when the policy does not define it."""
        wanted = self.project.settings.profile
        for profile in policy.profiles:
            if profile.name == wanted:
                return profile
        known = [profile.name for profile in policy.profiles]
        raise ConfigurationError([Problem("policies/profiles.toml", wanted, f"no such profile{near(wanted, known)}")])


@functools.lru_cache(maxsize=1)
def _policy(files: tuple[tuple[str, str], ...]) -> Policy:
    """The policy of these files: the verbs of one run read it once."""
    from imagewright import policyfile  # with the language of the rules: a run with nothing new asks none

    return policyfile.parse_policy(files)


def policy_files(root: Path, folder: str = "policies") -> tuple[tuple[str, str], ...]:
    """Name and text of every TOML file and OpenVEX document in a folder of the project.

    Raises ConfigurationError for one that is no text.
    """
    found, problems = [], []
    for path in sorted([*(root / folder).glob("*.toml"), *(root / folder).glob(f"*{OPENVEX_SUFFIX}")]):
        name = path.relative_to(root).as_posix()
        try:
            # NOTE: byte for byte: the text of a document is vouched for by its hash.
            found.append((name, path.read_bytes().decode("utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem(name, "", f"cannot be read: {error}"))
    if problems:
        raise ConfigurationError(problems)
    return tuple(found)


@contextmanager
def opened(root: Path, stream: TextIO, *, profile: str = "", sweep: bool = True) -> Iterator[Workspace]:
    """Load the project and hold its output folder for this run; a second run in the same checkout waits.

    What an earlier, killed run left in the scratch folder is removed, unless ``sweep`` is false.
    """
    workspace = looked_at(root, stream, profile=profile)
    say = workspace.progress.say
    with locked(workspace.out / ".lock", taken=lambda: say("another run is at work in this checkout; waiting for it")):
        if sweep:
            shutil.rmtree(workspace.out / ".scratch", ignore_errors=True)
        yield workspace


def looked_at(root: Path, stream: TextIO, *, profile: str = "") -> Workspace:
    """Load the project for a verb that writes nothing: it waits for no other run, and no folder is made."""
    environ = dict(os.environ)
    if profile:
        environ["IMAGEWRIGHT_PROFILE"] = profile
    project = config.load(root, environ)
    out = root / "out"
    progress = choose(stream, environ)
    return Workspace(project, environ, out, Store(out / "store"), Evidence(out / "evidence"), progress)


def platform_name(image: Image, platform: Platform) -> str:
    """How one platform of an image is called: by the image alone when it has only one."""
    return _with_platform(image.name, platform, alone=len(image.manifests) == 1)


def release_name(definition: ImageDefinition, platform: Platform) -> str:
    """How one platform of a released image is called, whatever its name stands for by now."""
    return _with_platform(definition.name, platform, alone=len(definition.platforms) == 1)


def _with_platform(name: str, platform: Platform, *, alone: bool) -> str:
    return name if alone else f"{name}-{str(platform).replace('/', '-')}"


def platforms(
    images: tuple[tuple[ImageDefinition, Image], ...],
) -> Iterator[tuple[ImageDefinition, str, Platform, Manifest]]:
    """Every platform manifest of the images, with the name it goes by."""
    for definition, image in images:
        for platform, manifest in image.manifests:
            yield definition, platform_name(image, platform), platform, manifest
