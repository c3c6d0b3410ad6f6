"""The waived vulnerabilities as an OpenVEX document, version 0.2.0, for scanners and for who gets the image.

https://github.com/openvex/spec. A waiver with a justification says ``not_affected``; one without takes the risk, so the
image is ``affected``. Where nothing was waived there is no document, as the format knows none without a statement.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import imagewright
from imagewright.model.judged import ImageReport
from imagewright.model.verdict import Excused, Verdict, Waiver
from imagewright.model.vex import CONTEXT
from imagewright.purl import Purl
from imagewright.reports import units

Json = dict[str, Any]


def render(report: ImageReport) -> str:
    """The document, ASCII only; empty when no vulnerability is waived.

    Its ``@id`` is made of the digest of all else it says, in the public namespace of the format.
    """
    statements = [_statement(report, waiver, found) for waiver, found in _waived(report.verdict)]
    if not statements:
        return ""
    owners = sorted({excused.waiver.owner for excused in _all(report.verdict)})
    content: Json = {
        "author": ", ".join(map(units.plain, owners)),
        "role": "owner of the waivers",
        "timestamp": report.verdict.at,
        "version": 1,
        "tooling": f"imagewright {imagewright.__version__}",
        "statements": statements,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    document = {"@context": CONTEXT, "@id": f"https://openvex.dev/docs/public/vex-{digest}", **content}
    return json.dumps(document, indent=2) + "\n"


def _all(verdict: Verdict) -> Iterator[Excused]:
    for result in verdict.results:
        yield from result.excused


def _waived(verdict: Verdict) -> list[tuple[Waiver, tuple[Excused, ...]]]:
    """Each vulnerability with the waiver that covers it, and the packages it covers it in.

    What is affected comes last: of two statements about one finding the later one counts.
    """
    groups: dict[tuple[str, Waiver], list[Excused]] = {}
    for excused in sorted(set(_all(verdict)), key=lambda one: (_status(one.waiver) == "affected", repr(one))):
        groups.setdefault((excused.id, excused.waiver), []).append(excused)
    return [(waiver, tuple(found)) for (_, waiver), found in groups.items()]


def _status(waiver: Waiver) -> str:
    return waiver.status or ("not_affected" if waiver.justification else "affected")


def _statement(report: ImageReport, waiver: Waiver, found: tuple[Excused, ...]) -> Json:
    reason = units.plain(waiver.reason)
    statement: Json = {"vulnerability": {"name": units.plain(found[0].id)}, "products": [_product(report, found)]}
    match _status(waiver):
        case "affected":
            until = f"{units.plain(waiver.owner)} answers for it until {waiver.expires}"
            return {**statement, "status": "affected", "action_statement": f"{reason}; {until}"}
        case "not_affected":
            label = {"justification": waiver.justification} if waiver.justification else {}
            return {**statement, "status": "not_affected", **label, "impact_statement": reason}
        case status:
            return {**statement, "status": status, "status_notes": reason}


def _product(report: ImageReport, found: tuple[Excused, ...]) -> Json:
    # NOTE: no repository_url: where the image will be pushed is not decided when it is judged.
    digest = report.build.subject
    purl = str(Purl("oci", (), report.definition.repository.rpartition("/")[2], str(digest)))
    return {
        "@id": purl,
        "identifiers": {"purl": purl},
        "hashes": {"sha-256": digest.hex},
        "subcomponents": [{"@id": one} for one in dict.fromkeys(map(_package, found))],
    }


def _package(excused: Excused) -> str:
    # NOTE: a statement without its package would speak of all packages of the image.
    return excused.purl or str(Purl("generic", (), excused.package, excused.version))
