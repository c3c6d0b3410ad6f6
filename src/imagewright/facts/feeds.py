"""The feeds about vulnerabilities, as FIRST and CISA publish them → what they say of some. Pure.

EPSS: https://www.first.org/epss/data_stats · KEV: https://www.cisa.gov/known-exploited-vulnerabilities-catalog
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import date

from imagewright.model.feeds import EpssScore

_HEAD = re.compile(rb"#model_version:[^,\s]+,score_date:(\d{4}-\d\d-\d\d)(?:T\S*)?\s*")
_COLUMNS = b"cve,epss,percentile"
_CVE = re.compile(r"CVE-\d{4}-\d{4,}")


def epss_scores(lines: Iterable[bytes], wanted: frozenset[str]) -> tuple[date, dict[str, EpssScore]]:
    """The date of an EPSS file, and its scores of the CVEs that are wanted.

    Every line is looked at and only the wanted ones are read, so 300,000 lines cost a fraction of a second and no
    memory. Raises ValueError naming the line for anything that is not such a file.
    """
    rows = iter(lines)
    head = _HEAD.fullmatch(next(rows, b""))
    if not head:
        raise ValueError("line 1: must be #model_version:…,score_date:YYYY-MM-DD…")
    if next(rows, b"").rstrip() != _COLUMNS:
        raise ValueError(f"line 2: must be {_COLUMNS.decode()}")
    asked = {cve.encode() for cve in wanted if _CVE.fullmatch(cve)}
    scores: dict[str, EpssScore] = {}
    number = 2
    for number, row in enumerate(rows, start=3):  # how many there were is asked below
        cve, _, rest = row.partition(b",")
        if cve not in asked:
            if not cve.startswith(b"CVE-"):
                raise ValueError(f"line {number}: must begin with a CVE id")
            continue
        if (name := cve.decode()) in scores:
            raise ValueError(f"line {number}: {name} is there twice")
        scores[name] = _score(rest, number)
    if number == 2:
        raise ValueError("it has no scores")
    return _date(head[1].decode()), scores


def kev_due(data: bytes, wanted: frozenset[str]) -> tuple[date, dict[str, str]]:
    """The date of a KEV catalogue, and the due dates of those of the wanted CVEs that are in it.

    Raises ValueError for anything that is no such catalogue.
    """
    try:
        catalogue = json.loads(data)
        released = _date(catalogue["dateReleased"][:10])
        entries = catalogue["vulnerabilities"]
        due = {_cve(entry["cveID"]): _date(entry["dueDate"]).isoformat() for entry in entries}
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"is no catalogue of known exploited vulnerabilities: {error!r}") from error
    if not due:
        raise ValueError("it has no vulnerabilities")
    if len(due) != len(entries):
        raise ValueError("it has a CVE twice")
    return released, {cve: day for cve, day in due.items() if cve in wanted}


def _score(rest: bytes, line: int) -> EpssScore:
    parts = rest.strip().split(b",")
    try:
        score, percentile = (float(part) for part in parts)
    except ValueError as error:
        raise ValueError(f"line {line}: must be {_COLUMNS.decode()}") from error
    if not (0 <= score <= 1 and 0 <= percentile <= 1):
        raise ValueError(f"line {line}: score and percentile must be between 0 and 1")
    return EpssScore(score, percentile)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no date") from error


def _cve(text: str) -> str:
    if not _CVE.fullmatch(text):
        raise ValueError(f"{text!r} is no CVE id")
    return text
