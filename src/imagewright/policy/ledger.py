"""The book-keeping of releases: what a push enters, what a judgement adds, and which release is the baseline. Pure.

A first sighting is the earliest one entered: it may move to an earlier moment, never to a later one, and never before
the release it was seen in. So it does not matter in which order, or under which clock, an image is judged again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from imagewright.model.history import Ledger, Release, Sighting
from imagewright.policy.gates import Finding
from imagewright.reference import Digest


def is_new(ledger: Ledger, release: Release) -> bool:
    """Whether a push is a release of its own: the newest one, pushed again, is not."""
    newest = latest(ledger, release.registry)
    return newest is None or newest.subject != release.subject


def released(ledger: Ledger, release: Release, findings: Iterable[Finding]) -> Ledger:
    """The ledger with a release more, if it is one, and what is known of it by then."""
    if is_new(ledger, release):
        ledger = replace(ledger, releases=(*ledger.releases, release))
    return seen(ledger, release.subject, findings, release.at)


def seen(ledger: Ledger, subject: Digest, findings: Iterable[Finding], at: str) -> Ledger:
    """The ledger with these vulnerabilities of a released digest, seen at that moment (``policy.gates.moment``)."""
    release = find(ledger, subject)
    if release is None:
        return ledger
    known = {(one.id, one.package): one.at for one in ledger.sightings}
    for key in findings:
        known[key] = min(known.get(key, max(at, release.at)), max(at, release.at))
    return replace(ledger, sightings=tuple(Sighting(*key, known[key]) for key in sorted(known)))


def judged(ledger: Ledger, subject: Digest, *, at: str, database_at: str, passed: bool) -> Ledger:
    """The ledger after a released digest was judged with a vulnerability database of that date; dates only grow.

    One that was released unchecked counts as accepted from when it passes such a judgement. A second judgement of a day
    is no news: the ledger, and with it every later history, stays as it is.
    """

    def after(one: Release) -> Release:
        judged_at = one.judged_at if one.judged_at[:10] == at[:10] else max(one.judged_at, at)
        newest = max(one.database_at, database_at)
        return replace(one, judged_at=judged_at, database_at=newest, checked=one.checked or passed)

    return replace(ledger, releases=tuple(after(one) if one.subject == subject else one for one in ledger.releases))


def find(ledger: Ledger, subject: Digest) -> Release | None:
    """The first release of a digest."""
    return next((one for one in ledger.releases if one.subject == subject), None)


def latest(ledger: Ledger, registry: str) -> Release | None:
    """The newest release under a registry setting: what was tried on one's own machine is no release elsewhere."""
    return next((one for one in reversed(ledger.releases) if one.registry == registry), None)
