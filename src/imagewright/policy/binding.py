"""What a rule sees: the facts by dotted path, and beside them what only the moment of judging knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from imagewright.model.history import History
from imagewright.model.verdict import Policy
from imagewright.policy import gates
from imagewright.policy.vocabulary import END_OF_LIFE, HISTORY, NOW, PROFILE, VULNERABILITIES, flatten
from imagewright.schema import dump


def bind(
    policy: Policy, document: Mapping[str, Any], history: History, *, profile: str, now: datetime
) -> dict[str, Any]:
    """Every name of the vocabulary with its value; a fact the document lacks is left out."""
    vulnerabilities = gates.bound(document[VULNERABILITIES], history, policy.remediations, now)
    return flatten({**document, HISTORY: dump(history)}) | {
        **{NOW: now, PROFILE: profile, END_OF_LIFE: _lifetimes(policy)},
        VULNERABILITIES: vulnerabilities,
    }


def _lifetimes(policy: Policy) -> dict[str, str]:
    return {one.name: f"{one.ends}T23:59:59Z" for one in policy.lifetimes}
