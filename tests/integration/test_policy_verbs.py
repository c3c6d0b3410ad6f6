"""policy and verify-verdict as a user runs them, on an image that was really built and scanned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from imagewright.oci.layout import Store
from tests.integration.conftest import SmallProject

pytestmark = pytest.mark.integration

DOCKERFILE = """
FROM scratch
COPY . /
USER 65532:65532
"""
PACKAGE = "Package: base-files\nVersion: 13.8\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n"
FILES = {
    "etc/debian_version": "13.7\n",
    "etc/os-release": 'ID=debian\nVERSION_ID="13"\n',
    "var/lib/dpkg/status.d/base-files": PACKAGE,
}
TEAM = """
[[rule]]
id = "TEAM-001"
title = "Two files at most"
level = "should"
severity = "low"
deny = "sizes.files > 2"
message = "it has {sizes.files} files"
remedy = "leave some out"
"""
EXAMPLES = """
[TEAM-001.pass]
"two files" = { sizes.files = 2 }
[TEAM-001.fail]
"three files" = { sizes.files = 3 }
"""


@pytest.fixture
def scanned(project: SmallProject) -> SmallProject:
    project.image("app", DOCKERFILE, lets_in=("etc", "var"))
    for name, text in FILES.items():
        path = project.root / "images/app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    project.commit()
    ran = project.run("build", "scan")
    assert ran.code == 0, ran.err
    return project


def subject(project: SmallProject) -> str:
    return str(Store(project.root / "out/store").image("app").manifests[0][1].digest)


def record(project: SmallProject, kind: str) -> Path:
    return project.root / "out/evidence/sha256" / subject(project).partition(":")[2] / f"{kind}.json"


def test_the_rules_are_listed_and_tested_before_anything_is_built(project: SmallProject) -> None:
    listed = project.run("policy")
    assert listed.code == 0, listed.err
    assert "SEC-020 " in listed.out
    assert project.run("policy", "--test").code == 0
    assert not (project.root / "out").exists()
    (project.root / "policies/team.toml").write_text(TEAM)
    lacking = project.run("policy", "--test")
    assert lacking.code == 2
    assert "policies/team.toml: TEAM-001: has no fail fixture" in lacking.err
    (project.root / "policies/fixtures/team.toml").write_text(EXAMPLES)
    assert project.run("policy", "--test").code == 0


def test_a_rule_is_explained_and_a_verdict_made_again(scanned: SmallProject) -> None:
    # A rule of the team's own, on an image that was judged before there was such a rule.
    (scanned.root / "policies/team.toml").write_text(TEAM)
    ran = scanned.run("policy", "--explain", "TEAM-001", "-i", "app")
    assert ran.code == 0, ran.err
    for text in ("sizes.files > 2", "sizes.files = 3", "it says: warning (profile local)", subject(scanned)):
        assert text in ran.out

    # The verdict of before holds, whatever the policies are now.
    digest = subject(scanned)
    assert_same(scanned, digest)
    shutil.rmtree(scanned.root / "policies")
    shutil.rmtree(scanned.root / "out/store")
    assert_same(scanned, digest)


def assert_same(project: SmallProject, digest: str) -> None:
    ran = project.run("verify-verdict", digest)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [ran.out.strip()]
    assert ran.out.startswith(f"{digest} app (linux/amd64): the same again, passed at ")


def test_a_changed_record_is_named_and_judging_makes_it_sound_again(scanned: SmallProject) -> None:
    for kind in ("facts", "policy", "verdict"):
        path = record(scanned, kind)
        path.write_bytes(path.read_bytes().replace(b'"key": "sha256:', b'"key": "sha256:0', 1))
        ran = scanned.run("verify-verdict", subject(scanned))
        assert (ran.code, ran.out) == (8, "")
        assert f"the {kind} record" in ran.err
        assert scanned.run("judge").code == 0
        assert_same(scanned, subject(scanned))
    policy = json.loads(record(scanned, "policy").read_bytes())["body"]
    assert dict(policy["files"])["policies/security.toml"] == (scanned.root / "policies/security.toml").read_text()
