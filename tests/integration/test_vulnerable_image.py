"""An image with four planted faults is refused for exactly these, and for nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from imagewright.reference import Reference
from imagewright.tools.local_registry import LocalRegistry
from tests.integration.conftest import DOCKERFILE, IMAGE, SmallProject, Wiring, copied, new_project

FAULTS = {
    "LINT-001": "DL3002",
    "SEC-001": "root",
    "SEC-008": "private-key",
    "SEC-008.2": "/app/deploy-key.pem",
    "SEC-010.4": "deploy-key.pem (private key)",
    "SEC-011.2": "/app/deploy-key.pem (private key, layer",
    "SEC-012": "CVE-2099-1001",
    "SEC-020": "/app/helper",
}
NOT_CONFIGURED = {"SEC-012.4", "SEC-012.5", "SEC-012.6", "SEC-012.7", "SEC-028"}
"""What needs feeds or a second build, which this project has not."""
FOLDER = "jinja2-2.10.dist-info"
VULNERABLE = (
    DOCKERFILE.replace("USER 65532:65532", "COPY deploy-key.pem /app/\nUSER 0:0")
    + f"COPY {FOLDER} /app/lib/{FOLDER}\nCOPY --chmod=4755 helper /app/\n"
)
METADATA = "Metadata-Version: 2.1\nName: Jinja2\nVersion: 2.10\nLicense: BSD-3-Clause\n"
WAIVER = """
[[waiver]]
id = "SEC-020"
image = "shop"
reason = "the helper opens one raw socket and drops its rights"
owner = "shop team"
expires = {expires}
"""
JUSTIFIED = """
[[waiver]]
id = "CVE-2099-1001"
package = "pkg:pypi/jinja2"
reason = "no template comes from outside"
owner = "shop team"
expires = {expires}
justification = "vulnerable_code_cannot_be_controlled_by_adversary"
"""
VOUCHER = """
[[vex]]
file = "policies/shop.openvex.json"
sha256 = "{sha256}"
owner = "shop team"
expires = {expires}
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, wiring: Wiring) -> SmallProject:
    """The image, built and not yet scanned."""
    wired = wiring.wired(new_project(tmp_path_factory.mktemp("template") / "project", wiring.engine))
    wired.image("shop", VULNERABLE, toml=IMAGE.replace("65532:65532", "0:0"), lets_in=(FOLDER, "helper"))
    with (wired.root / "dockerfiles/shop.Dockerfile.dockerignore").open("a") as ignored:
        ignored.write("!deploy-key.pem\n")
    folder = wired.root / "images/shop"
    (folder / FOLDER).mkdir()
    (folder / FOLDER / "METADATA").write_text(METADATA)
    (folder / "helper").write_text("no program at all")
    # Made here, so that no key, not even one of nobody, lies in this repository.
    body = base64.encodebytes(os.urandom(600)).decode()
    kind = "RSA PRIVATE KEY"
    (folder / "deploy-key.pem").write_text(f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n")
    wired.commit()
    built = wired.run("build")
    assert built.code == 0, built.err
    return wired


@pytest.fixture
def shop(template: SmallProject, tmp_path: Path) -> SmallProject:
    """A copy of it."""
    return copied(template, tmp_path)


def outcomes(project: SmallProject) -> dict[str, str]:
    """What each rule said that an image gate decides, as the report for programs has it."""
    report = json.loads((project.root / "out/reports/shop/report.json").read_text())
    return {result["rule"]: result["outcome"] for result in report["verdict"]["rules"] if not result["elsewhere"]}


def failing(project: SmallProject) -> set[str]:
    return {rule for rule, outcome in outcomes(project).items() if outcome == "fail"}


def nothing_was_pushed(project: SmallProject, loopback: LocalRegistry) -> bool:
    """Whether not even a blob was sent to the project's part of the registry."""
    prefix = project.env["IMAGEWRIGHT_REGISTRY"].partition("/")[2]
    return not (loopback.data / "docker/registry/v2/repositories" / prefix).exists()


def waive(project: SmallProject, expires: date) -> None:
    (project.root / "policies/waivers.toml").write_text(WAIVER.format(expires=expires))


@pytest.mark.covers("SEC-012", "SEC-027")
def test_it_fails_on_exactly_the_planted_faults_and_is_not_pushed(
    shop: SmallProject, served_database: Reference, loopback: LocalRegistry
) -> None:
    ran = shop.run("scan", "push", IMAGEWRIGHT_DATABASE=str(served_database))
    assert (ran.code, ran.out) == (6, "")
    assert failing(shop) == set(FAULTS)
    # The archive may have moved on since the base was locked, which is a warning and no fault of the image's.
    unchecked = {rule for rule, outcome in outcomes(shop).items() if outcome == "not-checked"}
    assert unchecked == NOT_CONFIGURED
    aside = {*FAULTS, *NOT_CONFIGURED, "SEC-006.3"}
    others = {rule: outcome for rule, outcome in outcomes(shop).items() if rule not in aside}
    assert set(others.values()) == {"pass"}, others
    shown = (shop.root / "out/reports/shop/report.txt").read_text()
    assert [evidence for evidence in FAULTS.values() if evidence not in shown] == []
    error = ran.err[ran.err.index("error: ") :]
    assert error.startswith("error: 1 of 1 image has a verdict that blocks\n")
    assert [rule for rule in FAULTS if f": {rule} " not in error] == []
    assert "help: out/reports/index.html shows the evidence" in error

    for profile in ("local", "ci", "release"):
        pushed = shop.run("push", "--profile", profile)
        assert (pushed.code, pushed.out) == (6, "")
    assert nothing_was_pushed(shop, loopback)


@pytest.mark.covers("SEC-013")
def test_a_waiver_lifts_exactly_one_and_an_expired_one_is_a_fault_more(
    shop: SmallProject, loopback: LocalRegistry
) -> None:
    today = datetime.now(UTC).date()
    waive(shop, today + timedelta(days=30))
    assert shop.run("scan").code == 6
    assert failing(shop) == set(FAULTS) - {"SEC-020"}
    assert outcomes(shop)["SEC-020"] == "waived"
    assert "shop team" in (shop.root / "out/reports/shop/report.html").read_text()

    waive(shop, today - timedelta(days=1))
    ran = shop.run("judge")
    assert ran.code == 6
    assert failing(shop) == {*FAULTS, "SEC-013"}
    assert f"expired on {today - timedelta(days=1)}" in (shop.root / "out/reports/shop/report.md").read_text()

    pushed = shop.run("push")
    assert (pushed.code, pushed.out) == (6, "")
    assert ": SEC-013 1 waiver is not in order" in pushed.err
    assert nothing_was_pushed(shop, loopback)


@pytest.mark.covers("SEC-013")
def test_a_waived_vulnerability_leaves_as_a_document_that_excuses_the_same_when_it_comes_back(
    shop: SmallProject, served_database: Reference
) -> None:
    until = datetime.now(UTC).date() + timedelta(days=7)
    waivers, exported = shop.root / "policies/waivers.toml", shop.root / "out/reports/shop/report.openvex.json"
    waivers.write_text(JUSTIFIED.format(expires=until))
    assert shop.run("scan", IMAGEWRIGHT_DATABASE=str(served_database)).code == 6
    assert failing(shop) == set(FAULTS) - {"SEC-012"}
    text = exported.read_text()
    (statement,) = json.loads(text)["statements"]
    assert statement["status"] == "not_affected"

    document = shop.root / "policies/shop.openvex.json"
    document.write_text(text)
    waivers.write_text("")
    ran = shop.run("judge")
    assert (ran.code, "nobody vouches for it" in ran.err) == (2, True), ran.err

    digest = hashlib.sha256(document.read_bytes()).hexdigest()
    waivers.write_text(VOUCHER.format(sha256=digest, expires=until))
    assert shop.run("judge").code == 6
    assert failing(shop) == set(FAULTS) - {"SEC-012"}
    assert json.loads(exported.read_text())["statements"] == [statement]
    subject = json.loads((shop.root / "out/reports/shop/report.json").read_text())["digest"]
    document.unlink()
    assert shop.run("verify-verdict", subject).code == 0
    ran = shop.run("judge")
    assert (ran.code, "there is no 'policies/shop.openvex.json'" in ran.err) == (2, True), ran.err

    waivers.write_text("")
    assert shop.run("judge").code == 6
    assert failing(shop) == set(FAULTS)
    assert not exported.exists()
