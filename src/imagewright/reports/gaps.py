"""What was not checked, by its cause: the reason once, what mends it, and the rules it leaves open.

A rule that lacks several things stands below each cause: all of them have to be mended before it says anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from imagewright.model.judged import ImageReport
from imagewright.model.verdict import OUTCOMES, Outcome, RuleResult
from imagewright.policy.scope import cause
from imagewright.reports import units, view

_MOST = 8
_DATABASE = "set IMAGEWRIGHT_DATABASE to a folder or an OCI reference"
_FEED = "see EPSS and KEV in docs/operations.md"
REMEDIES = {
    "database": _DATABASE,
    "vulnerabilities": _DATABASE,
    "epss": _FEED,
    "kev": _FEED,
    "rebuild": "./inv build --verify, then ./inv judge",
    "repository": "put the project into a git repository, then ./inv build scan",
}
"""What makes up for a check that was not done, by its name in the facts; for the others nobody can say."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One cause, in the images named, and the result of each rule it leaves open, once; ``remedy`` may be empty."""

    reason: str
    remedy: str
    images: tuple[str, ...]
    results: tuple[RuleResult, ...]
    outcome: Outcome = "not-checked"

    @property
    def blocking(self) -> bool:
        """Whether it stops a push."""
        return any(result.blocking for result in self.results)

    @property
    def where(self) -> str:
        """The first of the images it is in."""
        return where(self.images)

    @property
    def rules(self) -> tuple[str, ...]:
        """How many rules it leaves open and which: in one line, in two when only some of them block."""
        blocking = tuple(result.rule for result in self.results if result.blocking)
        others = tuple(result.rule for result in self.results if not result.blocking)
        verb = "blocks" if len(blocking) == 1 else "block"
        lines = (
            f"{units.count(len(blocking), 'rule')} {verb}: {', '.join(blocking)}" if blocking else "",
            f"{units.count(len(others), 'more rule' if blocking else 'rule')}: {', '.join(others)}" if others else "",
        )
        return tuple(filter(None, lines))


def gaps(reports: Iterable[ImageReport]) -> tuple[Gap, ...]:
    """Every cause in these images once; those that block first, else in the order of the rules."""
    found: dict[str, tuple[dict[str, None], dict[str, None], dict[str, RuleResult]]] = {}
    for report in reports:
        for result in view.here(report.verdict):
            for check, reason in _causes(result):
                checks, images, results = found.setdefault(reason, ({}, {}, {}))
                checks[check] = images[report.definition.name] = None
                if result.rule not in results or result.blocking:
                    results[result.rule] = result
    made = (
        Gap(reason, _remedy(checks), tuple(images), tuple(results.values()))
        for reason, (checks, images, results) in found.items()
    )
    return tuple(sorted(made, key=lambda gap: not gap.blocking))


def where(images: Sequence[str]) -> str:
    """The first of these images, as the end of a sentence."""
    shown, left = units.bounded(images, _MOST)
    return f"in {', '.join(shown)}{f' and {left} more' if left else ''}"


def entries(report: ImageReport) -> tuple[RuleResult | Gap, ...]:
    """The rules decided here in the order of ``view.here``, with the causes in the place of those not checked."""
    decided: Sequence[RuleResult | Gap] = [
        *(result for result in view.here(report.verdict) if result.outcome != "not-checked"),
        *gaps([report]),
    ]
    return tuple(sorted(decided, key=lambda one: (not one.blocking, OUTCOMES.index(one.outcome))))


def _causes(result: RuleResult) -> Iterator[tuple[str, str]]:
    """Each check that the rule lacks (empty: which one is not said), and why it was not done."""
    if result.outcome == "not-checked":
        lines = result.evidence or (result.message or "no reason is given",)
        yield from (cause(line) for line in lines)


def _remedy(checks: Iterable[str]) -> str:
    return next((REMEDIES[check] for check in checks if check in REMEDIES), "")
