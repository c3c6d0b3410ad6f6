"""verify-verdict: a recorded verdict made again from the evidence alone, without the policies of today."""

from __future__ import annotations

from typing import TypeVar

from imagewright.errors import EvidenceError, NothingSelected
from imagewright.evidence import Evidence
from imagewright.model.facts import Facts
from imagewright.model.history import History
from imagewright.model.records import Build, JudgedPolicy
from imagewright.model.verdict import Verdict
from imagewright.reference import Digest
from imagewright.replay import differences

T = TypeVar("T")
_HINT = "./inv judge makes the verdict anew; find out first who changed what"


def verify(evidence: Evidence, name: str) -> tuple[str, ...]:
    """One line for each verdict of a digest (a platform's manifest, or the index over several) that is the same again.

    Raises EvidenceError naming every record that is missing, was changed, or does not lead to the recorded verdict.
    """
    found = [_verified(evidence, subject) for subject in _subjects(evidence, name)]
    wrong = [line for lines, problems in found for line in problems]
    if wrong:
        raise EvidenceError(f"the verdict of {name} cannot be vouched for", why="\n".join(wrong), hint=_HINT)
    return tuple(line for line, _ in found)


def _subjects(evidence: Evidence, name: str) -> tuple[Digest, ...]:
    try:
        digest = Digest.parse(name)
    except ValueError as error:
        raise NothingSelected(
            f"{name!r} is no digest", why=str(error), hint="it follows the @ in what push prints"
        ) from error
    return subjects(evidence, digest, hint="./inv build scan, or bring out/evidence here")


def subjects(evidence: Evidence, digest: Digest, *, hint: str) -> tuple[Digest, ...]:
    """The platform manifests a digest stands for, itself or as their index; raises EvidenceError for an unknown one."""
    known = evidence.subjects()
    if digest in known:
        return (digest,)
    under = tuple(subject for subject in known if _root(evidence, subject) == digest)
    if not under:
        raise EvidenceError(f"there is no evidence of {digest}", hint=hint)
    return under


def _root(evidence: Evidence, subject: Digest) -> Digest | None:
    try:
        return evidence.read(Build, subject, "build", hint="").root
    except EvidenceError:
        return None


def _verified(evidence: Evidence, subject: Digest) -> tuple[str, list[str]]:
    """The line to say of a verdict, and what is wrong with it or what it was made from."""
    problems: list[str] = []

    def read(cls: type[T], kind: str) -> T | None:
        try:
            return evidence.read(cls, subject, kind, hint="")
        except EvidenceError as error:
            problems.append(f"{error.what}: {error.why}" if error.why else error.what)
            return None

    facts, policy, verdict = read(Facts, "facts"), read(JudgedPolicy, "policy"), read(Verdict, "verdict")
    if facts is None or policy is None or verdict is None:
        return "", problems
    history = None if verdict.history is None else read(History, "history")
    if problems:
        return "", problems
    if verdict.subject != subject:
        problems.append(f"{subject.short} verdict: it is about {verdict.subject}")
    said = "passed" if verdict.passed else "refused"
    line = f"{subject} {facts.image.name} ({facts.image.platform}): the same again, {said} at {verdict.at}"
    problems += [f"{subject.short} {difference}" for difference in differences(verdict, facts, policy, history)]
    return f"{line} under the profile {verdict.profile}", problems
