"""Everything known of one image and platform → the facts document that rules are asked about.

Pure: the same inputs give the same bytes. What the fields mean is said in ``model.facts``.
"""

from __future__ import annotations

import re
from typing import Any

from imagewright.errors import EvidenceError
from imagewright.facts import inventory, reported
from imagewright.facts.files import notable_files, program_exists
from imagewright.facts.runtimes import next_server, options, program, python, runtimes, service
from imagewright.facts.secrecy import is_secret
from imagewright.model.definition import ImageDefinition
from imagewright.model.facts import (
    SCHEMA,
    BaseFact,
    BudgetFacts,
    ConfigFacts,
    DeclaredFacts,
    EnvFact,
    Facts,
    HealthCheckFacts,
    ImageFacts,
    SizeFacts,
    SourceFacts,
)
from imagewright.model.feeds import Feeds
from imagewright.model.findings import Lint, NotChecked, Scan
from imagewright.model.image import Contents, ImageConfig
from imagewright.model.records import Build, Rebuild, Sbom, UsedBase
from imagewright.model.reported import LintFact
from imagewright.model.repository import Inputs, RepositoryFacts
from imagewright.moments import moment
from imagewright.reference import Digest
from imagewright.schema import dump

_NUMERIC_USER = re.compile(r"[0-9]{1,10}:[0-9]{1,10}")
_NO_REPOSITORY = RepositoryFacts(ignore_tracked=False, ignore_ignored=False, public_tracked=0)
_NO_FEEDS = Feeds()
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def build_facts(
    definition: ImageDefinition,
    build: Build,
    config: ImageConfig,
    contents: Contents,
    lint: Lint,
    scan: Scan,
    sboms: tuple[Sbom, ...],
    inputs: Inputs,
    *,
    feeds: Feeds = _NO_FEEDS,
    rebuild: Rebuild | None = None,
) -> Facts:
    """The facts of one platform manifest; ``feeds`` were asked about the scan's vulnerabilities.

    Raises EvidenceError when the scan is of another manifest than the build.
    """
    if scan.subject != build.subject:
        raise EvidenceError(
            f"the scan of {definition.name} is of another image",
            why=f"built was {build.subject}, scanned was {scan.subject}",
            hint="scan again",
        )
    layers: dict[Digest | None, int] = {layer.diff_id: index for index, layer in enumerate(contents.layers)}
    vulnerabilities = reported.vulnerabilities(scan, layers, build, feeds)
    packages = inventory.packages(scan, layers, build)
    installed = runtimes(scan, config, contents)
    repository = inputs.repository
    return Facts(
        schema=SCHEMA,
        image=ImageFacts(
            name=definition.name,
            repository=definition.repository,
            platform=str(build.platform),
            digest=str(build.subject),
            service=service(definition, config, installed),
        ),
        config=_config(config, contents),
        declared=declared(definition),
        sizes=_sizes(contents),
        layers=inventory.layers(contents, build),
        files=notable_files(contents, config, definition.run.writable, build),
        runtimes=installed,
        python=python(contents),
        next=next_server(config, contents),
        dockerfile=inputs.dockerfile,
        context=inputs.context,
        sources=inputs.sources,
        actions=inputs.actions,
        repository=_NO_REPOSITORY if isinstance(repository, NotChecked) else repository,
        lint=_lint(lint),
        vulnerabilities=vulnerabilities,
        severities=reported.severities(vulnerabilities),
        secrets=reported.secrets(scan, layers, build),
        misconfigurations=reported.misconfigurations(scan),
        licences=inventory.licences(scan, packages.items),
        packages=packages,
        sboms=inventory.sboms(sboms),
        feeds=reported.feeds_joined(feeds),
        rebuild=reported.rebuilt(rebuild),
        bases=tuple(_base(base) for base in sorted(build.bases, key=lambda base: base.name)),
        scan=reported.scanner(scan),
        source=SourceFacts(build.source.revision, build.source.dirty, build.source.url),
        checks=reported.checks(scan, repository, feeds, rebuild),
    )


def to_document(facts: Facts) -> dict[str, Any]:
    """The facts as plain JSON types."""
    document: dict[str, Any] = dump(facts)
    return document


def _config(config: ImageConfig, contents: Contents) -> ConfigFacts:
    user, _, group = config.user.partition(":")
    secret_env = tuple(name for name, value in config.env if is_secret(name, value))
    return ConfigFacts(
        user=config.user,
        uid=_number(user),
        gid=_number(group),
        numeric=bool(_NUMERIC_USER.fullmatch(config.user)),
        ports=tuple(sorted(max(0, _number(port.partition("/")[0])) for port in config.ports)),
        entrypoint=config.entrypoint,
        cmd=config.cmd,
        program=program(config),
        options=options(config),
        env={name: "***" if name in secret_env else value for name, value in config.env},
        secret_env=secret_env,
        labels=dict(config.labels),
        healthcheck=_healthcheck(config, contents),
        working_dir=config.working_dir,
        volumes=config.volumes,
        stop_signal=config.stop_signal,
    )


def _healthcheck(config: ImageConfig, contents: Contents) -> HealthCheckFacts:
    check = config.healthcheck
    words = check.test[1:] if check.exec_form else " ".join(check.test[1:]).split()
    program = words[0] if check.present and words else ""
    path = dict(config.env).get("PATH", _DEFAULT_PATH)
    final = {entry.path: entry for entry in contents.final}
    return HealthCheckFacts(check.present, check.exec_form, program, program_exists(program, path, final))


def declared(definition: ImageDefinition) -> DeclaredFacts:
    """The contract in image.toml as rules see it."""
    run, budget = definition.run, definition.budget
    return DeclaredFacts(
        user=run.user,
        port=-1 if run.port is None else run.port,
        writable=run.writable,
        live=run.live,
        ready=run.ready,
        stop_seconds=run.stop_seconds,
        env=tuple(
            EnvFact(one.name, one.required, one.secret, one.when)
            for one in sorted(definition.env, key=lambda one: one.name)
        ),
        budget=BudgetFacts(
            compressed=-1 if budget.compressed is None else budget.compressed,
            uncompressed=-1 if budget.uncompressed is None else budget.uncompressed,
        ),
    )


def _sizes(contents: Contents) -> SizeFacts:
    files = sum(entry.kind != "directory" for entry in contents.final)
    hidden = sum(entry.size for entry in contents.deleted)
    return SizeFacts(contents.compressed, contents.uncompressed, files, hidden)


def _lint(lint: Lint) -> tuple[LintFact, ...]:
    findings = sorted(lint.findings, key=lambda item: (item.file, item.line, item.column, item.code))
    return tuple(LintFact(item.file, item.line, item.level, item.code, item.message) for item in findings)


def _base(base: UsedBase) -> BaseFact:
    return BaseFact(
        base.name,
        base.source,
        str(base.digest),
        str(base.expected or ""),
        base.is_locked,
        moment(base.locked),
    )


def _number(text: str) -> int:
    """The number a user, group or port is; 0 when unset (root), -1 when it is a name."""
    if not text:
        return 0
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else -1
