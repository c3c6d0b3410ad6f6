"""Any change of any input changes the key of exactly the steps that depend on it, and of no other."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagewright import keys, schema
from imagewright.model.definition import Budget, EnvVariable, ImageDefinition, RunContract
from imagewright.model.findings import Database, NotChecked, ToolIdentity
from imagewright.model.records import Source, UsedBase
from imagewright.plan import Context, Target, bake_document
from imagewright.reference import Digest, Platform

ONE, TWO = Digest("1" * 64), Digest("2" * 64)
IMAGE = ImageDefinition(
    name="app",
    title="App",
    description="",
    repository="todo/app",
    licenses="MIT",
    file="images/app/image.toml",
    dockerfile="dockerfiles/app.Dockerfile",
    context="images/app",
    run=RunContract("1:1"),
)


SOURCE = Source("c" * 40, 7, dirty=False, url="https://git.example/todo")
DATABASE = Database(ONE, "2026-01-01T00:00:00Z", "")


@dataclass(frozen=True, slots=True)
class World:
    """Every input there is, of an image that stands on another and on an outside base."""

    image: ImageDefinition = IMAGE
    source: Source = SOURCE
    bases: tuple[UsedBase, ...] = (UsedBase("debian", "bootstrap", ONE, ONE, "2026-01-01"),)
    files: tuple[tuple[str, str], ...] = (("file dockerfiles/app.Dockerfile", "1"), ("file images/app/x", "644 1"))
    docker: str = "28.0"
    base_image: str = "1"
    workflow: str = "1"
    git: str = "tracked"
    linter: Digest = ONE
    scanner: str = "0.76"
    database: Database | NotChecked = DATABASE
    policy: tuple[tuple[str, str], ...] = (("policies/security.toml", "rules"),)
    profile: str = "local"
    day: date = date(2026, 1, 2)
    feeds: Digest = ONE
    history: Digest | None = None
    compared: Digest = ONE
    renderers: Digest = ONE
    registry: str = "localhost:5000"
    tags: tuple[str, ...] = ("main",)


def steps(world: World) -> dict[str, Digest]:
    """The keys of all steps; what a step makes is taken to be another whenever its key is."""
    contexts = tuple(Context(base, f"docker-image://{base.name}") for base in world.bases)
    target = Target(world.image, world.source, contexts)
    need = {"base-app": Digest.of(world.base_image.encode())}
    definition = Digest.of(repr(schema.dump(world.image)).encode())
    build = keys.build(target, world.files, need, [ToolIdentity("docker", world.docker)])
    gather = keys.gather(definition, keys.received(build), [("workflow x", world.workflow)], world.git)
    dockerfile = Digest.of(dict(world.files)["file dockerfiles/app.Dockerfile"].encode())
    lint = keys.lint(world.image.dockerfile, dockerfile, world.image.needs, world.linter)
    scanner = ToolIdentity("trivy", world.scanner, ONE)
    scan = keys.scan(build.digest, world.image.name, world.source, scanner, world.database)
    made = {"build": build.digest, "gather": gather.digest, "lint": lint.digest, "scan": scan.digest}
    made["sboms"] = keys.sboms(scan)
    facts = keys.facts(definition, world.feeds, made)
    verdict = keys.verdict(facts.digest, world.history, world.policy, profile=world.profile, day=world.day)
    report = keys.report(definition, {"verdict": verdict.digest}, world.compared, world.renderers)
    push = keys.push(build.digest, f"{world.registry}/{world.image.repository}", world.tags)
    made |= {"facts": facts.digest, "verdict": verdict.digest, "report": report.digest, "push": push.digest}
    return made


def image(**changes: Any) -> World:
    return World(image=replace(IMAGE, **changes))


AFTER_FACTS = {"facts", "verdict", "report"}
SOURCES = {"gather", *AFTER_FACTS}
BYTES = {"build", "scan", "sboms", "push", *AFTER_FACTS}
ALL = {"lint", *BYTES, *SOURCES}

CHANGES: dict[str, tuple[World, set[str]]] = {
    "a file of the context": (World(files=(World().files[0], ("file images/app/x", "644 2"))), BYTES | SOURCES),
    "a mode": (World(files=(World().files[0], ("file images/app/x", "755 1"))), BYTES | SOURCES),
    "a file more": (World(files=(*World().files, ("file images/app/y", "644 1"))), BYTES | SOURCES),
    "the Dockerfile": (World(files=(("file dockerfiles/app.Dockerfile", "2"), World().files[1])), ALL),
    "an argument": (image(args=(("A", "1"),)), BYTES | SOURCES),
    "a label": (image(labels=(("A", "1"),)), BYTES | SOURCES),
    "the title": (image(title="Other"), BYTES | SOURCES),
    "the description": (image(description="Other"), BYTES | SOURCES),
    "the licences": (image(licenses="0BSD"), BYTES | SOURCES),
    "the target": (image(target="final"), BYTES | SOURCES),
    "a platform": (image(platforms=(Platform("linux", "arm64"),)), BYTES | SOURCES),
    "the budget": (image(budget=Budget(1, 1)), SOURCES),
    "the user it is meant to run as": (image(run=RunContract("2:2")), SOURCES),
    "a variable of the container": (image(env=(EnvVariable("A"),)), SOURCES),
    "an image it may name": (image(needs=("base-app",)), {"lint", *SOURCES}),
    "the repository it goes to": (image(repository="todo/other"), SOURCES | {"push"}),
    "the commit": (World(source=replace(SOURCE, revision="d" * 40)), BYTES),
    "the source date": (World(source=replace(SOURCE, epoch=8)), BYTES),
    "an edit that is not committed": (
        World(source=replace(SOURCE, revision=f"{SOURCE.revision}-dirty", dirty=True)),
        BYTES,
    ),
    "the source's address": (World(source=replace(SOURCE, url="")), BYTES),
    "the digest of a base": (World(bases=(replace(World().bases[0], digest=TWO),)), BYTES),
    "another base": (World(bases=(*World().bases, UsedBase("node", "registry", ONE, ONE))), BYTES),
    "an image it stands on": (World(base_image="2"), BYTES),
    "the builder": (World(docker="29.0"), BYTES),
    "a workflow": (World(workflow="2"), SOURCES),
    "what git has": (World(git="untracked"), SOURCES),
    "the linter": (World(linter=TWO), {"lint", *AFTER_FACTS}),
    "the scanner": (World(scanner="0.77"), {"scan", "sboms", *AFTER_FACTS}),
    "the database": (World(database=replace(DATABASE, sha256=TWO)), {"scan", *AFTER_FACTS}),
    "no database": (World(database=NotChecked("none")), {"scan", *AFTER_FACTS}),
    "a rule": (World(policy=(("policies/security.toml", "other"),)), {"verdict", "report"}),
    "a policy file": (World(policy=(*World().policy, ("policies/x.toml", ""))), {"verdict", "report"}),
    "the profile": (World(profile="ci"), {"verdict", "report"}),
    "the day": (World(day=date(2026, 1, 3)), {"verdict", "report"}),
    "the feeds": (World(feeds=TWO), AFTER_FACTS),
    "a release before it": (World(history=ONE), {"verdict", "report"}),
    "the baseline's verdict": (World(compared=TWO), {"report"}),
    "a template": (World(renderers=TWO), {"report"}),
    "the registry": (World(registry="registry.example"), {"push"}),
    "a tag": (World(tags=("main", "1.0.0")), {"push"}),
    "when a base was locked": (World(bases=(replace(World().bases[0], locked="2026-02-02"),)), set()),
    "where a database comes from": (World(database=replace(DATABASE, source="mirror")), set()),
}


def differing(one: World, other: World) -> set[str]:
    before, after = steps(one), steps(other)
    return {step for step in before if before[step] != after[step]}


@pytest.mark.parametrize(("other", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_reaches_exactly_the_steps_that_depend_on_it(other: World, expected: set[str]) -> None:
    assert differing(World(), other) == expected


def test_every_input_is_changed_by_some_example() -> None:
    changed = {
        field.name
        for world, _ in CHANGES.values()
        for field in fields(World)
        if getattr(world, field.name) != getattr(World(), field.name)
    }
    assert changed == {field.name for field in fields(World)}


@given(st.sampled_from(sorted(CHANGES)), st.sampled_from(sorted(CHANGES)))
def test_of_two_changes_each_is_seen_beside_the_other(one: str, other: str) -> None:
    """Merging two changes never cancels one: a step that either reaches is reached by both together."""
    merged = World()
    for name in (one, other):
        world = CHANGES[name][0]
        for field in fields(World):
            if getattr(world, field.name) != getattr(World(), field.name):
                merged = replace(merged, **{field.name: getattr(world, field.name)})
    assert CHANGES[other][1] <= differing(World(), merged)


@given(st.permutations(World().files))
def test_the_order_of_files_does_not_count(files: list[tuple[str, str]]) -> None:
    assert differing(World(), World(files=tuple(files))) == set()


OPTIONS: dict[str, tuple[Any, Any]] = {
    "title": ("App", "Other"),
    "description": ("", "What it does"),
    "licenses": ("MIT", "0BSD"),
    "target": ("", "final"),
    "args": ((), (("A", "1"),)),
    "labels": ((), (("A", "1"),)),
    "platforms": ((Platform("linux", "amd64"),), (Platform("linux", "arm64"),)),
    "needs": ((), ("base-app",)),
    "dockerfile": ("dockerfiles/app.Dockerfile", "dockerfiles/other.Dockerfile"),
    "revision": ("c" * 40, "d" * 40),
    "dirty": (False, True),
    "epoch": (7, 8),
    "url": ("", "https://git.example/todo"),
    "base digest": (ONE, TWO),
    "base name": ("debian", "node"),
    "bases": (True, False),
}
"""Everything that may stand in a bake file, in two ways each."""


def target_of(chosen: dict[str, Any]) -> Target:
    source = Source(chosen["revision"] + "-dirty" * chosen["dirty"], chosen["epoch"], chosen["dirty"], chosen["url"])
    used = UsedBase(chosen["base name"], "registry", chosen["base digest"], None)
    contexts = (Context(used, f"docker-image://{used.name}@{used.digest}"),) if chosen["bases"] else ()
    names = {field.name for field in fields(ImageDefinition)}
    return Target(replace(IMAGE, **{name: chosen[name] for name in names & chosen.keys()}), source, contexts)


@pytest.mark.parametrize("changed", OPTIONS)
@given(ways=st.fixed_dictionaries({name: st.booleans() for name in OPTIONS}))
@settings(max_examples=10)
def test_whatever_makes_the_bake_file_another_makes_the_key_another(changed: str, ways: dict[str, bool]) -> None:
    """The builder is told nothing that the key does not hold."""
    found = []
    for some in (ways, {**ways, changed: not ways[changed]}):
        target = target_of({name: OPTIONS[name][way] for name, way in some.items()})
        document = bake_document(Path("/repository"), [target], {"app": Path("/out")}, ca_bundle=None)
        needs = dict.fromkeys(target.image.needs, ONE)
        received = [(f"Dockerfile {target.image.dockerfile}", "1")]
        found.append((document, keys.build(target, received, needs, []).digest))
    (one, before), (other, after) = found
    assert (one == other) or (before != after)


def test_each_of_these_options_is_told_to_the_builder() -> None:
    """Else the test above would show nothing."""
    plain = {name: values[0] for name, values in OPTIONS.items()}

    def document(chosen: dict[str, Any]) -> object:
        return bake_document(Path("/repository"), [target_of(chosen)], {"app": Path("/out")}, ca_bundle=None)

    for name, values in OPTIONS.items():
        assert document({**plain, name: values[1]}) != document(plain), name
