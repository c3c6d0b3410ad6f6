"""Whether a rule concerns an image, and what it needs that nobody checked. Pure, and it fails closed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from imagewright.model.verdict import Rule
from imagewright.policy.cel import BadExpression, Undecided, compile_question
from imagewright.policy.vocabulary import checks_behind

Checks = Mapping[str, Mapping[str, Any]]
"""The checks of the facts document: by name, whether each was done and why not."""

_MISSING = re.compile(r"(\w+): not checked \((.*)\)", re.DOTALL)


def concerns(rule: Rule, facts: Mapping[str, Any], checks: Checks) -> bool | Undecided:
    """Whether the rule is about an image with these facts (by dotted name).

    A ``when`` over something nobody checked leaves out nothing: no answer is no reason to skip a rule.
    """
    if not rule.when:
        return True
    try:
        question = compile_question(rule.when)
    except BadExpression as error:
        return Undecided(str(error))
    if missing(checks_behind(question.reads), checks):
        return True
    return question.ask(facts)


def reads(rule: Rule) -> frozenset[str]:
    """The facts that the rule's expressions mention, ``item`` fields included; raises BadExpression."""
    about = compile_question(rule.when).reads if rule.when else frozenset()
    return about | (compile_question(rule.deny, rule.each).reads if rule.deny else frozenset())


def needs(rule: Rule) -> frozenset[str]:
    """The checks without which the rule is not-checked: named in it, or behind the facts it reads."""
    return checks_behind(reads(rule)).union(rule.requires)


def missing(needed: frozenset[str], checks: Checks) -> tuple[str, ...]:
    """Those of the needed checks that were not done, each with its reason."""
    undone = sorted(name for name in needed if not checks.get(name, {}).get("done"))
    return tuple(f"{name}: not checked ({checks.get(name, {}).get('reason', 'no such check')})" for name in undone)


def cause(line: str) -> tuple[str, str]:
    """The check and the reason that ``missing`` put into a line; of any other line no check, and the line itself."""
    match = _MISSING.fullmatch(line)
    return (match[1], match[2]) if match else ("", line)
