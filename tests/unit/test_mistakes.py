"""Mistakes as far as they show without a build: what is known of them, which rules can be asked, what those say."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from imagewright import dockerfile, ignore
from imagewright.facts.context import read_context
from imagewright.facts.recipe import read_recipe
from imagewright.facts.sources import read_sources
from imagewright.mistakes import Expected, Mistake, check, facts, needs_no_image, summary
from imagewright.model.definition import RunContract
from imagewright.model.findings import NotChecked
from imagewright.model.repository import Inputs, RepositoryFacts
from imagewright.model.verdict import Policy, Rule
from imagewright.reference import Digest
from tests.unit import factory
from tests.unit.test_policy import PROFILES

TRACKED = RepositoryFacts(ignore_tracked=True, ignore_ignored=False, public_tracked=1)


def rule(id: str, deny: str, **changes: Any) -> Rule:
    base = Rule(id, "A title", "must", "high", deny, "it is broken", "change it", "team.toml")
    return dataclasses.replace(base, **changes)


SECRET_ARG = rule("TEAM-001", "item.looks_secret", each="dockerfile.variables", show="{item.name}")
IGNORED = rule("TEAM-002", "!repository.ignore_tracked")
ROOT_USER = rule("TEAM-003", "config.uid == 0")
NODE_ONLY = rule("TEAM-004", "size(declared.writable) == 0", when="image.service == 'node'")
POLICY = Policy((SECRET_ARG, IGNORED, ROOT_USER, NODE_ONLY), (), PROFILES, Digest.of(b"policy"))


def mistake(
    text: str = "FROM scratch\n",
    *rules: str,
    name: str = "bad",
    service: Any = "",
    repository: RepositoryFacts | NotChecked = TRACKED,
) -> Mistake:
    definition = factory.definition(name=name, run=RunContract(user="65532:65532", port=3000))
    recipe = dockerfile.parse(text)
    inputs = Inputs(
        dockerfile=read_recipe(recipe, definition),
        context=read_context("images/bad", "bad.dockerignore", ignore.parse("*\n"), {}),
        sources=read_sources({}, (text, recipe), definition),
        actions=(),
        repository=repository,
    )
    return Mistake(definition, inputs, Expected("A mistake", rules, service))


LEAKY = "FROM scratch\nARG AUTH_SECRET\n"


def said(*mistakes: Mistake) -> list[str]:
    return [str(problem) for problem in check(POLICY, mistakes)]


def test_what_is_known_before_a_build_is_put_over_a_good_image() -> None:
    known = facts(mistake(LEAKY, service="node"))
    assert [one.name for one in known.dockerfile.variables] == ["AUTH_SECRET"]
    assert (known.image.name, known.image.service, known.declared.port) == ("bad", "node", 3000)
    assert known.config.uid == 65532


@pytest.mark.parametrize(("one", "known"), [(SECRET_ARG, True), (IGNORED, True), (ROOT_USER, False), (NODE_ONLY, True)])
def test_which_rules_need_no_image_is_told_by_what_they_read(one: Rule, known: bool) -> None:
    assert needs_no_image(one) is known


@pytest.mark.parametrize(
    "one",
    [
        rule("TEAM-005", "declared.port > 0", when="config.uid > 0"),
        rule("TEAM-005", "declared.port > 0", requires=("secrets",)),
        rule("TEAM-005", "dockerfile.runs.exists(run, run.text in config.cmd)"),
        rule("TEAM-005", "", elsewhere="a look at it"),
    ],
)
def test_a_rule_that_asks_for_more_or_for_nothing_is_not_asked_early(one: Rule) -> None:
    assert not needs_no_image(one)


def test_a_mistake_that_its_rules_catch_is_in_order() -> None:
    assert said(mistake(LEAKY, "TEAM-001"), mistake("FROM scratch\n", "TEAM-004", service="node")) == []


def test_a_mistake_that_a_rule_does_not_catch_is_named() -> None:
    assert said(mistake("FROM scratch\n", "TEAM-001")) == [
        "policies/fixtures/mistakes/bad/expect.toml: TEAM-001: does not catch it: the rule says pass"
    ]


def test_a_rule_that_does_not_concern_the_image_catches_nothing() -> None:
    (line,) = said(mistake("FROM scratch\n", "TEAM-004", service="python"))
    assert line.endswith("TEAM-004: does not catch it: it does not concern this image")


def test_a_rule_that_needs_the_image_is_left_to_it() -> None:
    assert said(mistake(LEAKY, "TEAM-003")) == []


def test_a_rule_that_is_not_there_is_named_with_the_near_miss() -> None:
    (line,) = said(mistake(LEAKY, "TEAM-01"))
    assert "rules: there is no rule TEAM-01; did you mean 'TEAM-001'?" in line


def test_a_good_twin_that_is_refused_is_named_for_the_rules_of_the_mistakes_alone() -> None:
    twin = mistake(LEAKY, name="good", service="node")
    (line,) = said(twin, mistake(LEAKY, "TEAM-001"))
    assert "mistakes/good/expect.toml: TEAM-001: refuses what makes no mistake: it is broken AUTH_SECRET" in line


def test_what_git_has_counts_for_a_mistake_and_not_for_a_twin() -> None:
    untracked = RepositoryFacts(ignore_tracked=False, ignore_ignored=True, public_tracked=0)
    twin = mistake(name="good", repository=untracked)
    assert said(twin, mistake("FROM scratch\n", "TEAM-002", repository=untracked)) == []
    (line,) = said(mistake("FROM scratch\n", "TEAM-002"))
    assert "does not catch it" in line


def test_outside_git_nothing_is_asked_about_it() -> None:
    assert said(mistake("FROM scratch\n", "TEAM-002", repository=NotChecked("no git"))) == []


def test_the_summary_counts_the_mistakes_and_what_is_caught_early() -> None:
    mistakes = [mistake(LEAKY, "TEAM-001", "TEAM-003"), mistake(LEAKY, "TEAM-003"), mistake(name="good")]
    assert summary(POLICY, mistakes) == "2 mistakes: 1 are caught before anything is built, the others need the image"
