"""policies/*.toml as they are: each rule lets a good image pass, and stops the mistake it is about."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from imagewright.facts import build_facts
from imagewright.model.definition import Budget, FeedFile, RunContract
from imagewright.model.facts import Facts
from imagewright.model.feeds import EpssScore, Feeds
from imagewright.model.findings import Database, LicenceFinding, LintFinding, NotChecked, Package, Secret, ToolIdentity
from imagewright.model.image import HealthCheck
from imagewright.model.records import Rebuild, Sbom, UsedBase
from imagewright.model.verdict import Policy, Verdict
from imagewright.policy import evaluate
from imagewright.policyfile import parse_policy
from imagewright.reference import Digest
from tests.unit import factory
from tests.unit.definition_mistakes import MISTAKES, frontend
from tests.unit.factory import (
    SUBJECT,
    build,
    config,
    contents,
    coverage,
    definition,
    entry,
    inputs,
    lint,
    sboms,
    scan,
    vulnerability,
)

POLICIES = Path(__file__).parents[2] / "policies"


def own_policy() -> Policy:
    return parse_policy((f"policies/{path.name}", path.read_text("utf-8")) for path in POLICIES.glob("*.toml"))


POLICY = own_policy()
OTHER = Digest.of(b"other")
FEED = FeedFile("feed", Digest.of(b"feed"), date(2026, 11, 19))
FEEDS = Feeds(FEED, FEED)


def facts(**parts: Any) -> Facts:
    """A good image, with the named inputs replaced."""
    given: dict[str, Any] = {
        **{"definition": definition(), "build": build(), "config": config(), "contents": contents()},
        **{"lint": lint(), "scan": scan(), "sboms": sboms(), "inputs": inputs()},
        **{"feeds": FEEDS, "rebuild": Rebuild(SUBJECT, SUBJECT, (), ""), **parts},
    }
    named = {key: given.pop(key) for key in ("feeds", "rebuild")}
    return build_facts(*given.values(), **named)


def judged(of: Facts, profile: str = "ci") -> Verdict:
    return evaluate(POLICY, of, profile=profile, now=factory.NOW)


def outcomes(of: Facts, profile: str = "ci") -> dict[str, str]:
    """What the rules said that an image gate decides; one that does not concern the image said nothing."""
    return {result.rule: result.outcome for result in judged(of, profile).results if not result.elsewhere}


def elsewhere(of: Facts) -> set[str]:
    """The rules that say what would check them."""
    return {result.rule for result in judged(of).results if result.elsewhere}


def of_area(prefix: str, *, asked: bool) -> set[str]:
    return {rule.id for rule in POLICY.rules if rule.id.startswith(prefix) and bool(rule.elsewhere) != asked}


def base(**changes: Any) -> UsedBase:
    locked = UsedBase("debian:trixie-slim", "bootstrap", Digest.of(b"x"), Digest.of(b"x"), "2026-11-19")
    return dataclasses.replace(locked, **changes)


def database(updated_at: str) -> Database:
    return Database(Digest.of(b"x"), updated_at, "x")


def findings(count: int = 1, **changes: Any) -> dict[str, Any]:
    return {"scan": scan(vulnerabilities=tuple(vulnerability(id=f"CVE-{n}", **changes) for n in range(count)))}


def files(*found: Any, **options: Any) -> dict[str, Any]:
    return {"contents": contents(*found, **options)}


def scored(**changes: Any) -> tuple[Sbom, ...]:
    return tuple(dataclasses.replace(sbom, coverage=coverage(**changes)) for sbom in sboms())


OLD = dataclasses.replace(FEED, date=date(2026, 11, 1))
SECRET = Secret("aws-access-key-id", "AWS", "AWS access key", "CRITICAL", "/app/x", 3)
OTHER = Digest.of(b"other")
FAILING: list[tuple[str, str, dict[str, Any]]] = [
    ("SEC-001", "root by leaving USER out", {"config": config(user="")}),
    ("SEC-001", "root by number", {"config": config(user="0:0")}),
    ("SEC-001", "a system user", {"config": config(user="999:999")}),
    ("SEC-001", "root by name", {"config": config(user="root")}),
    ("SEC-002", "a named user", {"config": config(user="app:app")}),
    ("SEC-002", "no group", {"config": config(user="65532")}),
    ("SEC-003", "another user than declared", {"config": config(user="10001:10001")}),
    ("SEC-006", "a base that is not locked", {"build": build(bases=(base(expected=None),))}),
    ("SEC-006", "another base than locked", {"build": build(bases=(base(expected=OTHER, source="registry"),))}),
    ("SEC-006.2", "an old lock", {"build": build(bases=(base(locked="2026-10-01"),))}),
    ("SEC-006.3", "an archive that moved on", {"build": build(bases=(base(expected=OTHER, source="bootstrap"),))}),
    ("SEC-006.3", "a stand-in", {"build": build(bases=(base(expected=OTHER, source="substitute"),))}),
    ("SEC-006.2", "a lock without date", {"build": build(bases=(base(locked=""),))}),
    ("SEC-008", "a key in a file", {"scan": scan(secrets=(SECRET,))}),
    ("SEC-008.2", "a key file", files(entry("/app/server.key"))),
    ("SEC-008.2", "a key file that a later layer deletes", files(deleted=(entry("/root/.ssh/id_rsa"),))),
    ("SEC-008.3", "a token in ENV", {"config": config(env=(("AUTH_SECRET", "x"),))}),
    ("SEC-012", "a critical one", findings(severity="CRITICAL", fixed_version="")),
    ("SEC-012", "a high one with a fix", findings(severity="HIGH")),
    ("SEC-012.2", "a high one without a fix", findings(severity="HIGH", fixed_version="")),
    ("SEC-012.3", "26 of medium severity", findings(26, severity="MEDIUM")),
    ("SEC-012.4", "an exploited one", {"feeds": Feeds(FEED, FEED, due={"CVE-2026-0001": "2026-12-01"})}),
    ("SEC-012.5", "a likely one", {"feeds": Feeds(FEED, FEED, {"CVE-2026-0001": EpssScore(0.11, 0.9)})}),
    ("SEC-012.6", "old scores", {"feeds": Feeds(OLD, FEED)}),
    ("SEC-012.7", "an old catalogue", {"feeds": Feeds(FEED, OLD)}),
    ("SEC-025.3", "a package without version", {"sboms": scored(incomplete=("jinja2",))}),
    ("SEC-025.3", "an SBOM without a date", {"sboms": scored(missing=("timestamp",))}),
    ("SEC-025.3", "an SBOM by nobody", {"sboms": scored(missing=("author", "tool"))}),
    ("SEC-025.4", "an SBOM that says little", {"sboms": scored(score=69)}),
    ("SEC-028", "another build", {"rebuild": Rebuild(SUBJECT, OTHER, ("/app/x",), "")}),
    ("SEC-015", "a database of last month", {"scan": scan(database=database("2026-10-20T00:00:00Z"))}),
    ("SEC-015", "a database without a date", {"scan": scan(database=database(""))}),
    ("SEC-015.3", "a database of others", {"scan": scan(uncovered="debian 13")}),
    ("SEC-015.2", "a scanner nobody hashed", {"scan": scan(scanner=ToolIdentity("trivy", "0.76.0"))}),
    ("SEC-020", "a setuid file", files(entry("/usr/bin/su", mode=0o4755))),
    ("SEC-020", "a setgid file", files(entry("/usr/bin/wall", mode=0o2755))),
    ("SEC-020.2", "a file with capabilities", files(entry("/usr/bin/ping", capabilities=True))),
    ("SEC-020.3", "a file anybody may write", files(entry("/app/x", mode=0o666))),
    ("SEC-020.3", "a directory anybody may write", files(entry("/data", kind="directory", mode=0o1777))),
    ("SEC-020.3", "a /tmp without the sticky bit", files(entry("/tmp", kind="directory", mode=0o777))),
    ("SEC-021", "apt", files(entry("/usr/bin/apt", mode=0o755))),
    ("SEC-021", "npm", files(entry("/usr/lib/node_modules/npm/package.json"))),
    ("SEC-021.2", "gcc", files(entry("/usr/bin/gcc", kind="symlink", target="gcc-14"))),
    ("SEC-021.3", "a shell", files(entry("/bin/sh", mode=0o755))),
    ("SEC-023", "no health check", {"config": config(healthcheck=HealthCheck(()))}),
    ("SEC-023", "a health check in shell form", {"config": config(healthcheck=HealthCheck(("CMD-SHELL", "python3")))}),
    ("SEC-023", "curl, which is not there", {"config": config(healthcheck=HealthCheck(("CMD", "curl", "x")))}),
    ("SEC-024", "no labels", {"config": config(labels=())}),
    ("SEC-024", "an empty label", {"config": config(labels=(*config().labels[:-1], (config().labels[-1][0], "")))}),
    ("SEC-025", "no SBOM", {"sboms": ()}),
    ("SEC-025", "only one format", {"sboms": sboms()[:1]}),
    ("SEC-025", "nothing to list", {"scan": scan(packages=())}),
    (
        "SEC-025.2",
        "no language packages",
        {"sboms": tuple(dataclasses.replace(s, language_packages=0) for s in sboms())},
    ),
    ("SEC-025.2", "no OS packages in one", {"sboms": (dataclasses.replace(sboms()[0], os_packages=0), sboms()[1])}),
    (
        "SEC-029",
        "a network copyleft",
        {"scan": scan(licences=(LicenceFinding("AGPL-3.0-only", "forbidden", "HIGH", "x"),))},
    ),
    ("SEC-030", "another port", {"config": config(ports=("8001/tcp",))}),
    ("SEC-030", "one port too many", {"config": config(ports=("8000/tcp", "9000/tcp"))}),
    ("SEC-030", "the port not exposed", {"config": config(ports=())}),
    ("SIZE-001", "too large to pull", {"definition": definition(budget=Budget(compressed=999))}),
    ("SIZE-001", "too large unpacked", {"definition": definition(budget=Budget(uncompressed=3999))}),
    (
        "LINT-001",
        "a linter warning",
        {"lint": lint(findings=(LintFinding("Dockerfile", 3, 1, "warning", "DL3008", "pin"),))},
    ),
    *MISTAKES,
]


@pytest.mark.parametrize("profile", ["local", "ci", "release"])
@pytest.mark.parametrize("parts", [{}, frontend()], ids=["backend", "frontend"])
def test_a_good_image_passes_every_rule(parts: dict[str, Any], profile: str) -> None:
    of = facts(**parts)
    assert {id: outcome for id, outcome in outcomes(of, profile).items() if outcome != "pass"} == {}
    assert judged(of, profile).passed


@pytest.mark.parametrize(("id", "mistake", "parts"), FAILING, ids=[f"{id}: {mistake}" for id, mistake, _ in FAILING])
def test_a_mistake_breaks_its_rule(id: str, mistake: str, parts: dict[str, Any]) -> None:
    level = next(rule.level for rule in POLICY.rules if rule.id == id)
    verdict = judged(facts(**parts))
    broken = next(result for result in verdict.results if result.rule == id)
    assert broken.outcome == ("fail" if level == "must" else "warn")
    assert broken.message
    assert broken.evidence or not next(rule for rule in POLICY.rules if rule.id == id).show
    assert "?" not in broken.message + "".join(broken.evidence)
    assert not {"{", "|"} & set(broken.message)
    assert "{" not in "".join(broken.evidence)


def test_lesser_findings_are_no_mistake() -> None:
    fine = facts(
        **{"lint": lint(findings=(LintFinding("Dockerfile", 3, 1, "info", "DL3059", "merge RUNs"),))},
        **findings(25, severity="MEDIUM"),
    )
    assert set(outcomes(fine).values()) == {"pass"}


def test_a_base_image_needs_no_port_and_no_health_check() -> None:
    bare = definition(run=RunContract(user="65532:65532"))
    runtime = config(ports=(), healthcheck=HealthCheck(()), cmd=("python3",))
    found = outcomes(facts(definition=bare, config=runtime))
    assert "SEC-023" not in found
    assert (found["SEC-030"], found["SEC-033"]) == ("pass", "pass")


def test_a_base_image_that_exposes_a_port_says_something_untrue() -> None:
    assert outcomes(facts(definition=definition(run=RunContract(user="65532:65532"))))["SEC-030"] == "fail"


def test_an_image_without_a_budget_is_not_weighed() -> None:
    assert "SIZE-001" in judged(facts(definition=definition(budget=Budget()))).inapplicable


EVERY_IMAGE = {"FE-010", "FE-010.2"}
"""Rules of the frontend's file that are about whatever names a health path."""
UNKNOWN = {
    "config": config(cmd=("/usr/bin/shop",)),
    "contents": dataclasses.replace(contents(), final=(entry("/usr/bin/shop", mode=0o755),)),
    "scan": scan(packages=(Package("libc6", "2.41", "os", "debian", "pkg:deb/debian/libc6@2.41"),)),
}
"""A service in a language nobody wrote rules for."""


def test_no_rule_of_the_frontend_concerns_a_backend_and_the_other_way_around() -> None:
    frontends = (of_area("FE-", asked=True) | of_area("FE-", asked=False)) - EVERY_IMAGE
    backends = of_area("BE-", asked=True) | of_area("BE-", asked=False)
    assert set(judged(facts()).inapplicable) == frontends | {"SEC-017", "SEC-033"}
    assert set(judged(facts(**frontend())).inapplicable) == backends | {"SEC-017", "SEC-033"}


def test_every_rule_of_an_area_concerns_its_image_and_is_asked_or_says_what_would_check_it() -> None:
    for prefix, of in (("BE-", facts()), ("FE-", facts(**frontend()))):
        assert of_area(prefix, asked=True) <= outcomes(of).keys()
        assert of_area(prefix, asked=False) <= elsewhere(of)
        assert of_area("SEC-", asked=False) <= elsewhere(of)


def test_a_service_in_an_unknown_language_is_warned_of_and_not_passed_by_rules_nobody_asked() -> None:
    verdict = judged(facts(**UNKNOWN))
    assert outcomes(facts(**UNKNOWN))["SEC-033.2"] == "warn"
    services = {rule.id for rule in POLICY.rules if "image.service ==" in rule.when}
    assert services
    assert services <= set(verdict.inapplicable)


def test_a_server_that_declares_no_port_is_refused_instead_of_judged_as_a_base() -> None:
    assert outcomes(facts(definition=definition(run=RunContract(user="65532:65532"))))["SEC-033"] == "fail"


def test_what_is_checked_elsewhere_blocks_no_release() -> None:
    assert {"SEC-018", "SEC-026", "SEC-032", "BE-012"} <= elsewhere(facts())
    assert judged(facts(), "release").passed


def test_a_database_of_this_week_is_fresh_but_not_for_a_release() -> None:
    of = facts(scan=scan(database=database("2026-11-15T00:00:00Z")))
    assert (outcomes(of, "ci")["SEC-015"], outcomes(of, "release")["SEC-015"]) == ("pass", "fail")


def test_without_a_database_vulnerabilities_are_not_checked_and_the_rest_is() -> None:
    away = NotChecked("no database: example.com is out of reach")
    of = facts(scan=scan(database=away, vulnerabilities=away))
    found = outcomes(of)
    assert {id for id, outcome in found.items() if outcome == "not-checked"} == {
        *("SEC-012", "SEC-012.2", "SEC-012.3", "SEC-012.4", "SEC-012.5"),
        *("SEC-014", "SEC-014.2", "SEC-014.3", "SEC-015", "SEC-015.3"),
    }
    assert (judged(of, "local").passed, judged(of, "ci").passed, judged(of, "release").passed) == (True, True, False)


def test_without_feeds_and_a_second_build_their_rules_are_not_checked_and_block_nothing() -> None:
    of = facts(feeds=Feeds(), rebuild=None)
    assert {id for id, outcome in outcomes(of).items() if outcome == "not-checked"} == {
        *("SEC-012.4", "SEC-012.5", "SEC-012.6", "SEC-012.7", "SEC-028"),
    }
    assert judged(of, "release").passed


def test_only_the_local_profile_stays_on_this_machine() -> None:
    assert {profile.name: profile.loopback_only for profile in POLICY.profiles} == {
        **{"local": True, "ci": False, "release": False},
    }
