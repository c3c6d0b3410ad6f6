"""What the tools reported, as facts: findings in a stable order, and which checks were done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from imagewright.model.definition import FeedFile
from imagewright.model.feeds import EpssScore, Feeds
from imagewright.model.findings import (
    SEVERITIES,
    Misconfiguration,
    NotChecked,
    Scan,
    Secret,
    Severity,
    Vulnerability,
)
from imagewright.model.records import Build, Rebuild
from imagewright.model.reported import (
    CheckFact,
    CheckFacts,
    FeedFact,
    FeedsFacts,
    MisconfigurationFact,
    RebuildFacts,
    ScanFacts,
    SecretFact,
    SeverityFacts,
    VulnerabilityFact,
)
from imagewright.moments import moment
from imagewright.reference import Digest

T = TypeVar("T")
_RANK: dict[Severity, int] = {severity: rank for rank, severity in enumerate(SEVERITIES)}


def found(result: tuple[T, ...] | NotChecked) -> tuple[T, ...]:
    """The findings, none when the check was not done: ``checks`` says so beside them."""
    return () if isinstance(result, NotChecked) else result


def vulnerabilities(
    scan: Scan, layers: Mapping[Digest | None, int], build: Build, feeds: Feeds
) -> tuple[VulnerabilityFact, ...]:
    """The scan's vulnerabilities, most severe first; ``layers`` maps diff ids to layer numbers."""
    unscored = EpssScore(-1.0, -1.0)

    def order(item: Vulnerability) -> tuple[object, ...]:
        return (_RANK[item.severity], item.id, item.package, item.version, item.path)

    return tuple(
        VulnerabilityFact(
            id=item.id,
            severity=item.severity,
            package=item.package,
            version=item.version,
            package_class=item.package_class,
            type=item.type,
            fixed_version=item.fixed_version,
            fixable=bool(item.fixed_version),
            status=item.status,
            title=item.title,
            purl=item.purl,
            path=item.path,
            url=item.url,
            layer=layers.get(item.layer, -1),
            origin=build.origin(layers.get(item.layer, -1)),
            severity_source=item.severity_source,
            severity_by_source=dict(item.severities),
            epss=feeds.scores.get(item.id, unscored).score,
            epss_percentile=feeds.scores.get(item.id, unscored).percentile,
            kev=item.id in feeds.due,
            kev_due=moment(feeds.due[item.id]) if item.id in feeds.due else "",
        )
        for item in _sorted(found(scan.vulnerabilities), order)
    )


def severities(items: Iterable[VulnerabilityFact]) -> SeverityFacts:
    """How many there are of each severity."""
    counts = dict.fromkeys(SEVERITIES, 0)
    for item in items:
        counts[item.severity] += 1  # type: ignore[index]  # the facts document has plain strings
    return SeverityFacts(*(counts[severity] for severity in SEVERITIES))


def secrets(scan: Scan, layers: Mapping[Digest | None, int], build: Build) -> tuple[SecretFact, ...]:
    """The secrets the scanner found, by path and line."""

    def order(item: Secret) -> tuple[object, ...]:
        return (item.path, item.line, item.rule)

    return tuple(
        SecretFact(
            rule=item.rule,
            category=item.category,
            title=item.title,
            severity=item.severity,
            path=item.path,
            line=item.line,
            layer=layers.get(item.layer, -1),
            origin=build.origin(layers.get(item.layer, -1)),
        )
        for item in _sorted(found(scan.secrets), order)
    )


def misconfigurations(scan: Scan) -> tuple[MisconfigurationFact, ...]:
    """The scanner's findings about the configuration, most severe first."""

    def order(item: Misconfiguration) -> tuple[object, ...]:
        return (_RANK[item.severity], item.id, item.message)

    return tuple(
        MisconfigurationFact(item.id, item.severity, item.title, item.message, item.resolution)
        for item in _sorted(found(scan.misconfigurations), order)
    )


def scanner(scan: Scan) -> ScanFacts:
    """Who scanned, with which database, and of when that is."""
    database = None if isinstance(scan.database, NotChecked) else scan.database
    return ScanFacts(
        scanner=scan.scanner.name,
        version=scan.scanner.version,
        sha256_known=scan.scanner.sha256 is not None,
        sha256=str(scan.scanner.sha256 or ""),
        isolation=scan.isolation,
        uncovered=scan.uncovered,
        database_known=database is not None,
        database_sha256=str(database.sha256) if database else "",
        database_updated_at=moment(database.updated_at) if database else "",
    )


def feeds_joined(feeds: Feeds) -> FeedsFacts:
    """Which feeds were joined to the vulnerabilities."""

    def fact(feed: FeedFile | None) -> FeedFact:
        return FeedFact(str(feed.sha256), moment(feed.date.isoformat())) if feed else FeedFact("", "")

    return FeedsFacts(fact(feeds.epss), fact(feeds.kev))


def rebuilt(rebuild: Rebuild | None) -> RebuildFacts:
    """What a second build gave; nothing was the same, and nothing differed, when there was none."""
    if rebuild is None:
        return RebuildFacts(same=False, differing=())
    return RebuildFacts(same=rebuild.subject == rebuild.rebuilt, differing=rebuild.differing)


def checks(scan: Scan, repository: object, feeds: Feeds, rebuild: Rebuild | None) -> CheckFacts:
    """Which checks were done. Without a database nobody looked for vulnerabilities, whatever the list says."""
    database = _check(scan.database)
    return CheckFacts(
        lint=CheckFact(done=True),
        packages=CheckFact(done=True),
        database=database,
        vulnerabilities=_check(scan.vulnerabilities) if database.done else database,
        secrets=_check(scan.secrets),
        licences=_check(scan.licences),
        misconfigurations=_check(scan.misconfigurations),
        repository=_check(repository),
        epss=_check(feeds.epss or NotChecked("no file with EPSS scores is configured")),
        kev=_check(feeds.kev or NotChecked("no catalogue of known exploited vulnerabilities is configured")),
        rebuild=_check(rebuild or NotChecked("./inv build --verify was not run for this digest")),
    )


def _check(result: object) -> CheckFact:
    return CheckFact(done=False, reason=result.reason) if isinstance(result, NotChecked) else CheckFact(done=True)


def _sorted(items: Iterable[T], key: Callable[[T], tuple[object, ...]]) -> list[T]:
    return sorted(items, key=key)
