"""``policies/fixtures/*.toml``: examples each rule has to pass and to break, as changes to one good image's facts.

    [SEC-001.fail]
    "a system user" = { config.uid = 999 }

The changes name facts as rules do, ``now``, ``profile`` and ``history`` included; a vulnerability may say its ``gate``
and when it was ``first_seen``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from imagewright.errors import ConfigurationError, Problem
from imagewright.model.facts import Facts
from imagewright.model.history import History
from imagewright.model.verdict import Policy, Profile, Rule
from imagewright.policy import evaluate
from imagewright.policy.good import MOMENT, changed, named
from imagewright.policy.good_history import before
from imagewright.policy.ruling import UNDECIDED
from imagewright.policy.vocabulary import NOW, PROFILE
from imagewright.schema import load_toml, near

FOLDER = "policies/fixtures"
KINDS = ("pass", "fail", "not-checked", "not-applicable")
"""What a rule may be expected to say; ``fail`` is a warning for a rule that should hold."""
_PROFILE = "ci"


@dataclass(frozen=True, slots=True)
class Fixture:
    """One example: what the rule is expected to say (one of ``KINDS``) of an image with these facts."""

    rule: str
    expected: str
    title: str
    facts: Facts
    history: History
    profile: str
    now: datetime
    file: str

    @property
    def place(self) -> str:
        """Where it stands in its file."""
        return f'{self.rule}.{self.expected}."{self.title}"'


def parse_fixtures(files: Iterable[tuple[str, str]]) -> tuple[Fixture, ...]:
    """The examples of these files (name and text); raises ConfigurationError with every mistake found."""
    problems: list[Problem] = []
    found = tuple(fixture for name, text in sorted(files) for fixture in _of_file(name, text, problems))
    if problems:
        raise ConfigurationError(problems)
    return found


def check(policy: Policy, fixtures: tuple[Fixture, ...]) -> tuple[Problem, ...]:
    """Every example that does not come out as it says, and every rule that lacks one of a kind it needs."""
    rules = {rule.id: rule for rule in policy.rules}
    profiles = [profile.name for profile in policy.profiles]
    problems: list[Problem] = []
    for fixture in fixtures:
        rule = rules.get(fixture.rule)
        if rule is None:
            wrong = f"there is no rule {fixture.rule}{near(fixture.rule, list(rules))}"
        elif fixture.profile not in (_PROFILE, *profiles):
            wrong = f"there is no profile {fixture.profile}{near(fixture.profile, profiles)}"
        else:
            wrong = _mismatch(rule, fixture, policy)
        if wrong:
            problems.append(Problem(fixture.file, fixture.place, wrong))
    have = {(fixture.rule, fixture.expected) for fixture in fixtures}
    lacking = [(rule, kind) for rule in policy.rules for kind in _needed(rule) if (rule.id, kind) not in have]
    problems += [Problem(rule.file, rule.id, f"has no {kind} fixture in {FOLDER}/") for rule, kind in lacking]
    return tuple(problems)


def _needed(rule: Rule) -> Iterator[str]:
    """The kinds of examples a rule has to bring: none for one that asks nothing."""
    if not rule.elsewhere:
        yield from ("pass", "fail", *(("not-applicable",) if rule.when else ()))


def _mismatch(rule: Rule, fixture: Fixture, policy: Policy) -> str:
    """How the rule answers otherwise than expected; empty when it does not."""
    alone = replace(policy, rules=(rule,), waivers=(), statements=(), profiles=(Profile(fixture.profile, ("fail",)),))
    verdict = evaluate(alone, fixture.facts, profile=fixture.profile, now=fixture.now, history=fixture.history)
    if verdict.inapplicable:
        return "" if fixture.expected == "not-applicable" else "the rule does not concern this image"
    result = verdict.results[0]
    undecided = next((line for line in result.evidence if line.startswith(UNDECIDED)), "")
    said = "fail" if result.outcome == "warn" else result.outcome
    if said == fixture.expected and not undecided:
        return ""
    return undecided or f"the rule says {' '.join((said, *result.evidence))}"


def _of_file(name: str, text: str, problems: list[Problem]) -> Iterator[Fixture]:
    for rule, kinds in load_toml(text, file=name, problems=problems).items():
        for kind, examples in _table(kinds, name, rule, problems):
            if kind not in KINDS:
                quoted = (
                    f'; an id with a dot is quoted: ["{rule}.{kind}".fail]' if kind.isdigit() else near(kind, KINDS)
                )
                problems.append(Problem(name, f"{rule}.{kind}", f"unknown key{quoted}"))
                continue
            for title, changes in _table(examples, name, f"{rule}.{kind}", problems):
                fixture = _fixture(name, (rule, kind, title), changes, problems)
                if fixture is not None:
                    yield fixture


def _fixture(file: str, where: tuple[str, str, str], changes: Any, problems: list[Problem]) -> Fixture | None:
    rule, kind, title = where
    at = f'{rule}.{kind}."{title}"'
    table = dict(named(dict(_table(changes, file, at, problems))))
    now, profile = table.get(NOW, MOMENT), table.get(PROFILE, _PROFILE)
    if not isinstance(now, datetime) or now.tzinfo is None:
        problems.append(Problem(file, f"{at}.{NOW}", "must be a moment with its time zone: 2026-01-01T12:00:00Z"))
    elif not isinstance(profile, str):
        problems.append(Problem(file, f"{at}.{PROFILE}", "must be a string"))
    else:
        left, history = before(table, file=file, at=at, problems=problems)
        facts = changed(left, file=file, at=at, problems=problems)
        if facts is not None and history is not None:
            return Fixture(rule, kind, title, facts, history, profile, now, file)
    return None


def _table(value: Any, file: str, at: str, problems: list[Problem]) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    problems.append(Problem(file, at, "must be a table"))
    return ()
