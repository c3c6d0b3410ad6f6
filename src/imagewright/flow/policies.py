"""policy: what the rules are, what one of them makes of an image, and whether each does what its examples say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from imagewright.errors import ConfigurationError, NothingSelected
from imagewright.fixtures import FOLDER, check, parse_fixtures
from imagewright.flow import mistakes
from imagewright.flow.cases import cases
from imagewright.flow.judge import evaluated
from imagewright.flow.workspace import Workspace, policy_files
from imagewright.mistakes import check as check_mistakes
from imagewright.mistakes import summary
from imagewright.model.verdict import Rule
from imagewright.policy import settle
from imagewright.policyfile import parse_policy
from imagewright.reports import rules
from imagewright.schema import near


def overview(root: Path) -> str:
    """Every rule and profile, line by line."""
    return rules.overview(parse_policy(policy_files(root)))


def test(root: Path) -> str:
    """Run every rule's own examples, and the mistakes as far as they show without a build; returns how many there were.

    Raises ConfigurationError naming each that comes out otherwise, and each rule that lacks one of a kind it needs.
    """
    policy = parse_policy(policy_files(root))
    fixtures = parse_fixtures(policy_files(root, FOLDER))
    wrong = mistakes.read(root)
    problems = check(policy, fixtures) + check_mistakes(policy, wrong)
    if problems:
        raise ConfigurationError(
            problems, hint="mend the rule or its example; docs/policies.md shows how to write both"
        )
    return (
        f"{len(policy.rules)} rules, {len(fixtures)} examples: each rule does what its examples say\n"
        f"{summary(policy, wrong)}"
    )


def explain(workspace: Workspace, rule_id: str, names: tuple[str, ...]) -> str:
    """One rule in full; for each named image also the facts it reads and what it says of them now.

    Raises NothingSelected when there is no such rule, EvidenceError when an image was not built or scanned.
    """
    policy = workspace.policy()
    rule = _rule(rules.every(policy), rule_id)
    return "\n\n".join([rules.explained(rule), *(_of_images(workspace, rule, names) if names else ())])


def _of_images(workspace: Workspace, rule: Rule, names: tuple[str, ...]) -> Iterator[str]:
    policy = workspace.policy()
    workspace.profile(policy)
    judged = evaluated(workspace, policy, tuple(cases(workspace, names)), {})
    settled = settle(policy, [(one.case.definition.name, one.verdict) for one in judged], complete=False)
    for one, verdict in zip(judged, settled, strict=True):
        result = next((result for result in verdict.results if result.rule == rule.id), None)
        yield rules.judged(rule, policy, one.facts, one.was.history, verdict, result)


def _rule(known: tuple[Rule, ...], rule_id: str) -> Rule:
    for rule in known:
        if rule.id == rule_id:
            return rule
    hint = near(rule_id, [rule.id for rule in known])
    raise NothingSelected(f"there is no rule {rule_id!r}{hint}", hint="./inv policy lists them")
