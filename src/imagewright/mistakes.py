"""``policies/fixtures/mistakes/``: small images that each make one mistake, and the rules that have to catch it.

A folder holds image.toml, Dockerfile, context and expect.toml. What can be known of it without a build is put over the
facts of a good image; a rule that reads nothing else has to break there. A folder whose expect.toml names no rule is a
good twin: no rule that a mistake names may break there. Pure; the folders are read in ``flow.mistakes``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from imagewright.errors import Problem
from imagewright.facts import declared
from imagewright.fixtures import FOLDER as FIXTURES
from imagewright.model.definition import ImageDefinition
from imagewright.model.facts import Facts
from imagewright.model.findings import NotChecked
from imagewright.model.repository import Inputs
from imagewright.model.verdict import Policy, Profile, Rule
from imagewright.policy import evaluate
from imagewright.policy.good import MOMENT, good_facts
from imagewright.policy.scope import reads
from imagewright.schema import near

FOLDER = f"{FIXTURES}/mistakes"
BROKEN = ("fail", "warn")
"""The outcomes of a rule that caught something."""

_KNOWN = ("item", "image.service", "declared.", "dockerfile.", "context.", "sources.", "repository.")
_PROFILE = Profile("ci", ("fail",))


@dataclass(frozen=True, slots=True)
class Expected:
    """An expect.toml: the mistake in words, the rules it breaks, and what language the built image serves with."""

    title: str
    rules: tuple[str, ...] = ()
    service: Literal["", "node", "python"] = ""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One folder, read: what was declared, what a build would see, and what is expected of it."""

    definition: ImageDefinition
    inputs: Inputs
    expected: Expected

    @property
    def place(self) -> str:
        """The file that says what is expected."""
        return f"{FOLDER}/{self.definition.name}/expect.toml"


def needs_no_image(rule: Rule) -> bool:
    """Whether a rule reads only what is known before the build."""
    return bool(rule.deny) and all(name.startswith(_KNOWN) for name in reads(rule)) and not rule.requires


def facts(mistake: Mistake) -> Facts:
    """A good image's facts with all that is known of this one without building it."""
    good, inputs, repository = good_facts(), mistake.inputs, mistake.inputs.repository
    return replace(
        good,
        image=replace(good.image, name=mistake.definition.name, service=mistake.expected.service),
        declared=declared(mistake.definition),
        dockerfile=inputs.dockerfile,
        context=inputs.context,
        sources=inputs.sources,
        repository=good.repository if isinstance(repository, NotChecked) else repository,
    )


def check(policy: Policy, mistakes: Sequence[Mistake]) -> tuple[Problem, ...]:
    """Every mistake that a rule should catch without an image and does not, and every good twin that one refuses."""
    rules = {rule.id: rule for rule in policy.rules}
    named = {rule for mistake in mistakes for rule in mistake.expected.rules}
    return tuple(problem for mistake in mistakes for problem in _wrong(policy, rules, named, mistake))


def summary(policy: Policy, mistakes: Sequence[Mistake]) -> str:
    """How many mistakes there are, and how many of the rules they break can be asked without an image."""
    wrong = [mistake for mistake in mistakes if mistake.expected.rules]
    early = {rule.id for rule in policy.rules if needs_no_image(rule)}
    seen = sum(bool(early.intersection(mistake.expected.rules)) for mistake in wrong)
    return f"{len(wrong)} mistakes: {seen} are caught before anything is built, the others need the image"


def _wrong(policy: Policy, rules: dict[str, Rule], named: set[str], mistake: Mistake) -> Iterator[Problem]:
    expected = mistake.expected.rules
    for rule in expected:
        if rule not in rules:
            yield Problem(mistake.place, "rules", f"there is no rule {rule}{near(rule, list(rules))}")
    # NOTE: what git has changes with every `git add`, so a twin is not held to it before it is committed and built.
    asked = [
        rule
        for rule in policy.rules
        if needs_no_image(rule)
        and (rule.id in expected or not expected)
        and not (_asks_git(rule) and (not expected or isinstance(mistake.inputs.repository, NotChecked)))
    ]
    if not asked:
        return
    alone = replace(policy, rules=tuple(asked), waivers=(), profiles=(_PROFILE,))
    verdict = evaluate(alone, facts(mistake), profile=_PROFILE.name, now=MOMENT)
    for rule in verdict.inapplicable:
        if rule in expected:
            yield Problem(mistake.place, rule, "does not catch it: it does not concern this image")
    for result in verdict.results:
        if result.rule in expected and result.outcome not in BROKEN:
            yield Problem(mistake.place, result.rule, f"does not catch it: the rule says {result.outcome}")
        if not expected and result.rule in named and result.outcome in BROKEN:
            said = " ".join((result.message, *result.evidence))
            yield Problem(mistake.place, result.rule, f"refuses what makes no mistake: {said}")


def _asks_git(rule: Rule) -> bool:
    return any(name.startswith("repository.") for name in reads(rule))
