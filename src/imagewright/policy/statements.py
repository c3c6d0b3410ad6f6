"""Statements of OpenVEX documents, held against the vulnerabilities of one image.

Of several statements about one finding the latest counts: who looked into it after saying it does no harm has taken
that back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagewright.model.verdict import Policy, Waiver
from imagewright.model.vex import Statement, Target
from imagewright.policy import waivers
from imagewright.purl import Purl, covers

Claim = Waiver | Statement


@dataclass(frozen=True, slots=True)
class Said:
    """What statements say of an image: which of them speak of it at all, and the waivers they amount to.

    Each waiver is for one finding, with the severity of that finding beside it.
    """

    matched: tuple[Statement, ...] = ()
    waivers: tuple[tuple[Waiver, str], ...] = ()


def say(statements: Sequence[Statement], image: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> Said:
    """What the statements say of ``found``, the vulnerabilities of the facts document, in the ``image`` of it."""
    by_id: dict[str, list[tuple[Statement, tuple[Target, ...]]]] = {}
    for statement in statements:
        targets = tuple(target for target in statement.targets if _is_about(target, image))
        for id_ in dict.fromkeys(statement.ids if targets else ()):
            by_id.setdefault(id_, []).append((statement, targets))
    matched: dict[Statement, None] = {}
    given: dict[tuple[Waiver, str], None] = {}
    for item in found:
        speaking = [
            statement
            for statement, targets in by_id.get(item["id"], ())
            if any(not target.package or covers(target.package, item["purl"]) for target in targets)
        ]
        matched.update(dict.fromkeys(speaking))
        if speaking and (latest := max(speaking, key=lambda one: (one.at, one.file, one.number))).excuses:
            given[_waiver(latest, item, image["name"]), item["severity"]] = None
    return Said(tuple(matched), tuple(given))


def claims(policy: Policy) -> tuple[Claim, ...]:
    """All that must match something."""
    return *policy.waivers, *policy.statements


def describe(claim: Claim) -> str:
    """A waiver or statement in one line, different for any two that differ."""
    if isinstance(claim, Waiver):
        return waivers.describe(claim)
    until = f"vouched for by {claim.owner} until {claim.expires}"
    return f"{claim.place} ({claim.ids[0]} {claim.status}), {until}"


def image_of(claim: Claim) -> str:
    """The name of the one image that a waiver or statement is about; empty when it is about several or any."""
    if isinstance(claim, Waiver):
        return claim.image
    names = {Purl.parse(target.image).name if target.image else "" for target in claim.targets}
    return names.pop() if len(names) == 1 else ""


def _is_about(target: Target, image: Mapping[str, Any]) -> bool:
    if not target.image:
        return True
    wanted, repository = Purl.parse(target.image), image["repository"]
    says = dict(wanted.qualifiers)
    url = says.get("repository_url", "").rstrip("/")
    named = f"/{url}".endswith(f"/{repository}") if url else wanted.name in (image["name"], repository.split("/")[-1])
    architecture = image["platform"].split("/")[1]
    return (
        named
        and all(digest == image["digest"] for digest in target.digests)
        and says.get("arch", architecture) == architecture
    )


def _waiver(statement: Statement, item: Mapping[str, Any], image: str) -> Waiver:
    return Waiver(
        id=item["id"],
        reason=statement.reason,
        owner=statement.owner,
        expires=statement.expires,
        file=statement.place,
        package=item["purl"] or item["package"],
        image=image,
        justification=statement.justification,
        status=statement.status,
    )
