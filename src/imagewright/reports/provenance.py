"""Where every figure of a report comes from: which bytes, which source, which tools, which policy, which day."""

from __future__ import annotations

from dataclasses import dataclass

from imagewright.model.findings import NotChecked, Scan, ToolIdentity
from imagewright.model.judged import ImageReport
from imagewright.model.records import Sbom, UsedBase
from imagewright.reports import units
from imagewright.reports.view import unchecked


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure and what it is called."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Group:
    """Facts that belong together, under a title."""

    title: str
    facts: tuple[Fact, ...]


def provenance(report: ImageReport) -> tuple[Group, ...]:
    """Everything somebody needs to check the report again, in groups that are never empty."""
    tools = (*report.build.builder, report.lint.linter)
    return (
        Group("Image", _image(report)),
        Group("Source", _source(report)),
        Group("Bases", tuple(map(_base, report.build.bases)) or (Fact("bases", "none from outside"),)),
        Group("Built and linted by", tuple(Fact(tool.name, _tool(tool)) for tool in tools)),
        Group("Scan", _scan(report.scan)),
        Group("Bills of materials", tuple(map(_sbom, report.sboms)) or (Fact("SBOM", "none was made"),)),
        Group("Judgement", _judgement(report)),
    )


def _image(report: ImageReport) -> tuple[Fact, ...]:
    build = report.build
    index = () if build.root == build.subject else (Fact("index digest", str(build.root)),)
    return (
        Fact("digest", str(build.subject)),
        *index,
        Fact("platform", str(build.platform)),
        Fact("built", units.moment(build.finished_at)),
        Fact("input key", str(build.key)),
    )


def _source(report: ImageReport) -> tuple[Fact, ...]:
    source = report.build.source
    repository = (Fact("repository", source.url),) if source.url else ()
    return (
        Fact("revision", source.revision),
        Fact("committed", units.from_epoch(source.epoch)),
        Fact("work tree", "changed since that commit" if source.dirty else "clean"),
        *repository,
        Fact("Dockerfile", report.definition.dockerfile),
    )


def _base(base: UsedBase) -> Fact:
    if base.expected is None:
        lock = "not locked"
    elif not base.is_locked:
        lock = f"not what the lock says ({base.expected})"
    else:
        lock = f"locked {units.moment(base.locked)}".rstrip()
    return Fact(base.name, f"{base.digest}, {base.source}, {lock}")


def _tool(tool: ToolIdentity) -> str:
    return f"{tool.version}, {tool.sha256}" if tool.sha256 else tool.version


def _scan(scan: Scan) -> tuple[Fact, ...]:
    return (
        Fact("scanner", f"{scan.scanner.name} {_tool(scan.scanner)}"),
        Fact("scanned", str(scan.subject)),
        Fact("started", units.moment(scan.started_at)),
        Fact("isolation", scan.isolation),
        *_database(scan),
        *(Fact(name, f"not checked ({reason})") for name, reason in unchecked(scan)),
    )


def _database(scan: Scan) -> tuple[Fact, ...]:
    if isinstance(scan.database, NotChecked):
        return (Fact("database", f"not used ({scan.database.reason})"),)
    made, old = units.moment(scan.database.updated_at), units.age(scan.database.updated_at, scan.started_at)
    return (
        Fact("database", str(scan.database.sha256)),
        Fact("database made", f"{made}, {old} before the scan" if old else made),
        Fact("database from", scan.database.source),
    )


def _sbom(sbom: Sbom) -> Fact:
    counted = f"{sbom.os_packages} OS and {units.count(sbom.language_packages, 'language package')}"
    score = f"{sbom.coverage.score} % of the minimum elements"
    return Fact(sbom.format, f"{sbom.file}, {counted}, {score}, {sbom.sha256}")


def _judgement(report: ImageReport) -> tuple[Fact, ...]:
    verdict = report.verdict
    return (
        Fact("profile", verdict.profile),
        Fact("date", verdict.date),
        Fact("judged", str(verdict.subject)),
        Fact("policy", str(verdict.policy)),
        Fact("facts", str(verdict.facts)),
    )
