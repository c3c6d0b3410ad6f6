"""What feeds say of vulnerabilities, by CVE id: how likely each is exploited, and which are known to be.

EPSS: https://www.first.org/epss/ · KEV: https://www.cisa.gov/known-exploited-vulnerabilities-catalog
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from imagewright.model.definition import FeedFile


@dataclass(frozen=True, slots=True)
class EpssScore:
    """The probability (0 to 1) that a vulnerability is exploited within 30 days, and the share of all below it."""

    score: float
    percentile: float


@dataclass(frozen=True, slots=True)
class Feeds:
    """What the configured feeds say of the vulnerabilities that were asked about.

    ``epss`` and ``kev`` name the files, None for one that is not configured; ``due`` holds, for each CVE that is
    known to be exploited, the day by which CISA wants it remedied (YYYY-MM-DD).
    """

    epss: FeedFile | None = None
    kev: FeedFile | None = None
    scores: Mapping[str, EpssScore] = field(default_factory=dict)
    due: Mapping[str, str] = field(default_factory=dict)
