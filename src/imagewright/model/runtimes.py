"""The part of the facts document about what an image runs. See ``model.facts`` for the document as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from imagewright.annotations import Doc

Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuntimeFact:
    """One language runtime inside the image."""

    name: Annotated[str, Doc(description="node or python")]
    version: Annotated[str, Doc(description="as far as known; empty when only its program was seen")]
    line: Annotated[str, Doc(description="what its makers end support of: node 24, python 3.13")]
    known_from: Annotated[str, Doc(description="package, environment or path")]


@dataclass(frozen=True, slots=True)
class PythonFacts:
    """What is installed for Python."""

    built_for: Annotated[Texts, Doc(description="minor versions its packages and bytecode are for: 3.13")]


@dataclass(frozen=True, slots=True)
class NextFacts:
    """What there is of a standalone Next.js server below the working directory."""

    server: Annotated[bool, Doc(description="whether there is a server.js")]
    static_files: Annotated[int, Doc(description="files below .next/static")]
    public_files: Annotated[int, Doc(description="files below public")]
