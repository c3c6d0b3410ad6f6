"""What a judgement stands on: the recorded evidence of each platform, and the facts made from exactly that."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from imagewright import keys, schema
from imagewright.errors import EvidenceError
from imagewright.evidence import canonical
from imagewright.flow import feeds
from imagewright.flow.workspace import Workspace, platforms
from imagewright.inputkey import InputKey
from imagewright.model.definition import FeedSettings, ImageDefinition
from imagewright.model.facts import Facts
from imagewright.model.feeds import Feeds
from imagewright.model.findings import Lint, NotChecked, Scan
from imagewright.model.image import Manifest
from imagewright.model.records import Build, Rebuild, Sboms
from imagewright.model.repository import Inputs
from imagewright.reference import Digest


@dataclass(frozen=True, slots=True)
class Case:
    """One platform manifest with the records a judgement stands on; ``name`` is what it goes by."""

    name: str
    definition: ImageDefinition
    manifest: Manifest
    build: Build
    lint: Lint
    scan: Scan
    sboms: Sboms
    inputs: Inputs
    rebuild: Rebuild | None
    feeds: FeedSettings

    @property
    def made_from(self) -> InputKey:
        """Everything the facts are made from; the hour of a build is no part of it."""
        records = {
            "build": replace(self.build, finished_at=""),
            "lint": self.lint,
            "scan": self.scan,
            "sboms": self.sboms,
            "inputs": self.inputs,
            **({"rebuild": replace(self.rebuild, at="")} if self.rebuild else {}),
        }
        return keys.facts(
            _digest(self.definition), _digest(self.feeds), {kind: _digest(value) for kind, value in records.items()}
        )

    @property
    def key(self) -> Digest:
        """The digest of that."""
        return self.made_from.digest

    @property
    def known_ids(self) -> frozenset[str]:
        """The ids of the vulnerabilities found, for feeds to be asked about."""
        found = self.scan.vulnerabilities
        return frozenset(() if isinstance(found, NotChecked) else (item.id for item in found))


def cases(workspace: Workspace, names: tuple[str, ...]) -> Iterator[Case]:
    """The recorded evidence of each platform of the named images; raises EvidenceError when some is missing."""
    for definition, name, _, manifest in platforms(workspace.built(names)):
        yield case_of(workspace, definition, name, manifest)


def case_of(workspace: Workspace, definition: ImageDefinition, name: str, manifest: Manifest) -> Case:
    """The recorded evidence of one platform manifest; raises EvidenceError when some is missing."""
    read, subject = workspace.evidence.read, manifest.digest
    scan = read(Scan, subject, "scan", hint=f"./inv scan -i {definition.name}")
    rebuilt = workspace.evidence.has(subject, "rebuild")
    if scan.subject != subject:
        raise EvidenceError(f"the scan of {name} is of {scan.subject}, not of {subject}", hint="./inv scan")
    return Case(
        name,
        definition,
        manifest,
        read(Build, subject, "build", hint=f"./inv build -i {definition.name}"),
        read(Lint, subject, "lint", hint=f"./inv build -i {definition.name}"),
        scan,
        read(Sboms, subject, "sboms", hint=f"./inv scan -i {definition.name}"),
        read(Inputs, subject, "inputs", hint=f"./inv build -i {definition.name}"),
        read(Rebuild, subject, "rebuild", hint=f"./inv build --verify -i {definition.name}") if rebuilt else None,
        workspace.project.settings.feeds,
    )


def facts_of(workspace: Workspace, known: tuple[Case, ...]) -> list[Facts]:
    """The facts recorded for exactly this evidence, else made anew from it and recorded.

    The configured feeds are hashed each time, and read once when some facts are made anew.
    """
    feeds.verify(workspace)
    ids = frozenset[str]().union(*(case.known_ids for case in known))
    said = functools.cache(lambda: feeds.read(workspace, ids))
    return [_facts_of(workspace, case, said) for case in known]


def _facts_of(workspace: Workspace, case: Case, said: Callable[[], Feeds]) -> Facts:
    subject = case.manifest.digest
    if workspace.evidence.key(subject, "facts") == case.key:
        try:
            return workspace.evidence.read(Facts, subject, "facts", hint="")
        except EvidenceError:
            workspace.progress.say(f"the facts of {case.name} were changed or damaged; they are made again")
    from imagewright.facts import build_facts  # which most runs need not make again
    from imagewright.oci import layers, listing

    config = workspace.store.config(case.manifest)
    listed = listing.remembered(workspace.layer_cache, listing.lister(workspace.store.open_blob))
    with workspace.store.vouching(subject):
        contents = layers.walk(case.manifest, config, listed)
    facts = build_facts(
        case.definition,
        case.build,
        config,
        contents,
        case.lint,
        case.scan,
        case.sboms.documents,
        case.inputs,
        feeds=said(),
        rebuild=case.rebuild,
    )
    workspace.evidence.write(subject, "facts-key", case.made_from, key=case.key)
    workspace.evidence.write(subject, "facts", facts, key=case.key)
    return facts


def _digest(value: object) -> Digest:
    return Digest.of(canonical(schema.dump(value)))
