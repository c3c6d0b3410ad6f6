"""push on its bad days: each one is refused with its own exit code and words, and no tag moves.

The images are built and scanned once; every test pushes from a copy of that project.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from imagewright.evidence import Evidence, sealed
from imagewright.model.image import Image
from imagewright.model.verdict import Verdict
from imagewright.oci.layout import Store
from imagewright.oci.registry_auth import Credentials
from imagewright.reference import Digest, Reference
from imagewright.tools.engine import Engine
from tests.integration.conftest import DOCKERFILE, Ran, SmallProject, copied, new_project
from tests.integration.faulty_registry import FaultyRegistry, answer, close_after, refuse
from tests.integration.pushing import ANN, MANIFEST, client_of
from tests.integration.real_registry import certificate, serving

GOOD, LOOSE, UNSCANNED = "good", "loose", "unscanned"
LOOSE_DOCKERFILE = DOCKERFILE.replace("> /rootfs/name", "> /rootfs/name && chmod 666 /rootfs/name")
BROKEN_RULE = "SEC-020.3"
BLOCKED = f"{LOOSE} (linux/amd64): {BROKEN_RULE} "
WAIVER = """
[[waiver]]
id = "{rule}"
image = "{image}"
reason = "for a test"
owner = "tests"
expires = {expires}
"""
WRONG = Credentials("ann", "wrong horse")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> SmallProject:
    """Two images that pass, one that breaks a rule, and one that was built and not scanned."""
    project = new_project(tmp_path_factory.mktemp("template") / "project", engine)
    for name in (GOOD, "other", UNSCANNED):
        project.image(name)
    project.image(LOOSE, LOOSE_DOCKERFILE)
    project.commit()
    assert project.run("build").code == 0
    scanned = project.run("scan", "-i", GOOD, "-i", "other", "-i", LOOSE)
    assert (scanned.code, BROKEN_RULE in scanned.err) == (6, True), scanned.err
    return project


@pytest.fixture
def project(template: SmallProject, registry: FaultyRegistry, tmp_path: Path) -> SmallProject:
    """A copy of those images and their evidence, with a registry that obeys the test."""
    project = copied(template, tmp_path)
    project.env["IMAGEWRIGHT_REGISTRY"] = registry.address
    return project


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as server:
        yield server


def push(project: SmallProject, *images: str, **env: str) -> Ran:
    return project.run("push", *(word for name in images for word in ("-i", name)), **env)


def assert_refused(ran: Ran, code: int, *words: str) -> None:
    """The exit code, what and why and help in the error, and no reference on stdout."""
    assert (ran.code, ran.out) == (code, ""), ran.err
    for word in ("error: ", "help: ", *words):
        assert word in ran.err, f"{word!r} is not in:\n{ran.err}"
    assert "Traceback" not in ran.err


def store_of(project: SmallProject) -> Store:
    return Store(project.root / "out/store")


def image_of(project: SmallProject, name: str) -> Image:
    return store_of(project).image(name)


def record(project: SmallProject, name: str, kind: str) -> Path:
    return Evidence(project.root / "out/evidence").folder(image_of(project, name).root.digest) / f"{kind}.json"


def edit(path: Path, change: Callable[[dict[str, Any]], object], *, seal: bool = False) -> None:
    """Change a record's body; with ``seal`` as somebody does who knows how records are sealed."""
    envelope = json.loads(path.read_text())
    change(envelope["body"])
    path.write_bytes(sealed(envelope) if seal else json.dumps(envelope).encode())


def claim_passed(body: dict[str, Any]) -> None:
    body["passed"] = True
    for result in body["results"]:
        result.update(outcome="pass", blocking=False)


def repositories(registry: FaultyRegistry) -> dict[str, set[str]]:
    """The names (tags and digests) of each repository."""
    found: dict[str, set[str]] = {}
    for repository, name in registry.manifests:
        found.setdefault(repository, set()).add(name)
    return found


def tags(registry: FaultyRegistry) -> dict[str, set[str]]:
    return {
        repository: {name for name in names if ":" not in name} for repository, names in repositories(registry).items()
    }


# Without a verdict that passes now --------------------------------------------------------------------------------


@pytest.mark.covers("SEC-027")
def test_an_image_without_a_scan_is_not_pushed(project: SmallProject, registry: FaultyRegistry) -> None:
    ran = push(project, UNSCANNED)
    assert_refused(ran, 8, "there is no scan record of sha256:", f"help: ./inv scan -i {UNSCANNED}")
    assert not registry.seen


def test_an_image_that_was_never_built_is_not_pushed(project: SmallProject, registry: FaultyRegistry) -> None:
    project.image("new")
    assert_refused(push(project, "new"), 8, "new has not been built", "help: ./inv build -i new")
    assert not registry.seen


def test_the_scan_of_another_image_is_no_scan(project: SmallProject, registry: FaultyRegistry) -> None:
    shutil.copy(record(project, GOOD, "scan"), record(project, UNSCANNED, "scan"))
    ran = push(project, UNSCANNED)
    whose = image_of(project, GOOD).root.digest
    assert_refused(ran, 8, "scan record", "cannot be trusted", f"it is about {whose}", f"./inv scan -i {UNSCANNED}")
    assert not registry.seen


def test_the_scan_of_another_image_is_no_scan_under_the_right_name_either(
    project: SmallProject, registry: FaultyRegistry
) -> None:
    for kind in ("scan", "sboms"):
        envelope = json.loads(record(project, GOOD, kind).read_text())
        envelope["subject"] = str(image_of(project, UNSCANNED).root.digest)
        record(project, UNSCANNED, kind).write_bytes(sealed(envelope))
    assert_refused(push(project, UNSCANNED), 8, f"the scan of {UNSCANNED} is of sha256:", "./inv scan")
    assert not registry.seen


@pytest.mark.parametrize("kind", ["build", "lint", "scan", "sboms"])
def test_a_record_that_was_edited_is_not_trusted(project: SmallProject, registry: FaultyRegistry, kind: str) -> None:
    edit(record(project, GOOD, kind), lambda body: body.update(edited=True))
    assert_refused(push(project, GOOD), 8, f"the {kind} record", "it was changed after it was written")
    assert not registry.seen


@pytest.mark.parametrize("content", ["", "{", "[]", "\0" * 100], ids=["empty", "half", "list", "zeros"])
def test_a_record_that_is_no_record_is_not_trusted(
    project: SmallProject, registry: FaultyRegistry, content: str
) -> None:
    record(project, GOOD, "scan").write_text(content)
    assert_refused(push(project, GOOD), 8, "the scan record", "cannot be trusted", f"help: ./inv scan -i {GOOD}")
    assert not registry.seen


def test_edited_facts_are_made_again_from_the_image_itself(project: SmallProject, registry: FaultyRegistry) -> None:
    facts = record(project, LOOSE, "facts")
    before = facts.read_text()
    edit(facts, lambda body: body["files"].update(world_writable=[]))
    ran = push(project, LOOSE)
    assert_refused(ran, 6, f"the facts of {LOOSE} were changed or damaged; they are made again", BROKEN_RULE)
    assert facts.read_text() == before
    assert not registry.seen


@pytest.mark.covers("SEC-027")
def test_a_verdict_that_blocks_is_named_with_its_rule(project: SmallProject, registry: FaultyRegistry) -> None:
    ran = push(project, LOOSE)
    assert_refused(ran, 6, "1 of 1 image has a verdict that blocks", BLOCKED, "/name", "reports/index.html")
    assert not registry.seen


@pytest.mark.parametrize("seal", [False, True])
@pytest.mark.covers("SEC-027")
def test_a_verdict_on_disk_is_never_believed(project: SmallProject, registry: FaultyRegistry, seal: bool) -> None:
    edit(record(project, LOOSE, "verdict"), claim_passed, seal=seal)
    assert_refused(push(project, LOOSE), 6, BLOCKED)
    assert not json.loads(record(project, LOOSE, "verdict").read_text())["body"]["passed"]
    assert not registry.seen


@pytest.mark.covers("SEC-013")
def test_a_waiver_counts_until_its_day_and_the_verdict_of_that_day_no_longer_after(
    project: SmallProject, registry: FaultyRegistry
) -> None:
    waivers = project.root / "policies/waivers.toml"
    until = date.today() + timedelta(days=30)
    waivers.write_text(WAIVER.format(rule=BROKEN_RULE, image=LOOSE, expires=until))
    judged = project.run("judge", "-i", LOOSE)
    assert judged.code == 0, judged.err
    subject = image_of(project, LOOSE).root.digest
    verdict = Evidence(project.root / "out/evidence").read(Verdict, subject, "verdict", hint="")
    assert verdict.passed
    over = date.today() - timedelta(days=1)
    waivers.write_text(WAIVER.format(rule=BROKEN_RULE, image=LOOSE, expires=over))
    assert_refused(push(project, LOOSE), 6, BLOCKED, f"expired on {over}")
    assert not registry.seen
    waivers.write_text(WAIVER.format(rule=BROKEN_RULE, image=LOOSE, expires=until))
    assert push(project, LOOSE).code == 0


@pytest.mark.covers("SEC-027")
def test_one_image_that_is_blocked_keeps_the_others_back(project: SmallProject, registry: FaultyRegistry) -> None:
    assert_refused(push(project, GOOD, "other", LOOSE), 6, "1 of 3 images", BLOCKED)
    assert_refused(push(project), 8, f"./inv scan -i {UNSCANNED}")
    assert not registry.seen


@pytest.mark.parametrize("which", ["layer", "configuration", "manifest"])
def test_a_flipped_byte_in_the_store_is_found_before_anything_is_sent(
    project: SmallProject, registry: FaultyRegistry, which: str
) -> None:
    image = image_of(project, GOOD)
    ((_, manifest),) = image.manifests
    damaged = {"layer": manifest.layers[0], "configuration": manifest.config, "manifest": image.root}[which]
    blob = store_of(project).blob_path(damaged.digest)
    content = blob.read_bytes()
    blob.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    ran = push(project, "other", GOOD)
    assert_refused(ran, 8, f"blob {damaged.digest.short}", "not what its digest says", "./inv build makes it again")
    assert {seen.method for seen in registry.seen} <= {"HEAD"}
    built = project.run("build", "-i", GOOD)
    assert built.code == 0, built.err
    assert push(project, "other", GOOD).code == 0


def test_a_damaged_index_of_the_store_is_said_to_be_one(project: SmallProject, registry: FaultyRegistry) -> None:
    index = project.root / "out/store/index.json"
    index.write_bytes(index.read_bytes()[:-10])
    assert push(project, GOOD).code == 8
    assert not registry.seen


# Where it goes ----------------------------------------------------------------------------------------------------


def test_the_profile_local_never_pushes_beyond_this_machine(project: SmallProject) -> None:
    ran = push(project, GOOD, IMAGEWRIGHT_REGISTRY="registry.example.org/team")
    assert_refused(
        ran,
        6,
        "the profile local never pushes beyond this machine",
        "registry.example.org is not on loopback",
        "--profile ci",
    )


def test_a_registry_that_is_down_is_named(project: SmallProject) -> None:
    with FaultyRegistry() as gone:
        address = gone.address
    ran = push(project, GOOD, IMAGEWRIGHT_REGISTRY=address)
    assert_refused(ran, 7, f"{address} cannot be reached", "Connection refused", "gave up after 5 attempts")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real registry that wants a user name and a password."""
    with serving(tmp_path_factory.mktemp("guarded"), password=True) as address:
        yield address


def docker_config(folder: Path, **entries: object) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(entries))
    return str(folder)


def login(credentials: Credentials) -> dict[str, str]:
    return {"auth": credentials.basic.removeprefix("Basic ")}


def stands(project: SmallProject, registry: str, credentials: Credentials | None, name: str) -> bool:
    """Whether an image is in a real registry under its branch."""
    client = client_of(registry, credentials)
    found = client.head_manifest(Reference(registry, f"test/{name}", "main"))
    client.close()
    return found is not None and found.digest == image_of(project, name).root.digest


def test_a_registry_that_refuses_the_login_is_told_apart_and_the_secret_stays_secret(
    project: SmallProject, guarded: str, tmp_path: Path
) -> None:
    env = {"IMAGEWRIGHT_REGISTRY": guarded, "DOCKER_CONFIG": docker_config(tmp_path / "none")}
    assert_refused(push(project, GOOD, **env), 7, "sign-in", "no credentials for it were found", "help: docker login")
    env["DOCKER_CONFIG"] = docker_config(tmp_path / "wrong", auths={guarded: login(WRONG)})
    ran = push(project, GOOD, **env)
    assert_refused(ran, 7, "credentials that were found are not accepted", f"help: docker login {guarded}")
    for secret in ("wrong horse", base64.b64encode(b"wrong horse").decode(), login(WRONG)["auth"]):
        assert secret not in ran.err
    assert not stands(project, guarded, ANN, GOOD)


def test_a_credential_helper_that_fails_is_named(project: SmallProject, guarded: str, tmp_path: Path) -> None:
    config = docker_config(tmp_path / "config", credHelpers={guarded: "not-there"})
    ran = push(project, GOOD, IMAGEWRIGHT_REGISTRY=guarded, DOCKER_CONFIG=config)
    assert_refused(ran, 7, f"the credentials of {guarded} cannot be read", f"docker login {guarded}")


def test_credentials_come_from_the_docker_configuration(project: SmallProject, guarded: str, tmp_path: Path) -> None:
    config = docker_config(tmp_path / "config", auths={guarded: login(ANN)})
    ran = push(project, GOOD, IMAGEWRIGHT_REGISTRY=guarded, DOCKER_CONFIG=config)
    assert ran.code == 0, ran.err
    assert ANN.secret not in ran.out + ran.err
    assert stands(project, guarded, ANN, GOOD)


def test_credentials_come_from_a_helper_program(project: SmallProject, guarded: str, tmp_path: Path) -> None:
    helper = tmp_path / "docker-credential-test"
    answers = json.dumps({"ServerURL": guarded, "Username": ANN.username, "Secret": ANN.secret})
    helper.write_text(f"#!/bin/sh\nread -r host\n[ \"$1 $host\" = 'get {guarded}' ] && echo '{answers}'\n")
    helper.chmod(0o755)
    config = docker_config(tmp_path / "config", credHelpers={guarded: "test"})
    path = f"{tmp_path}:{os.environ['PATH']}"
    ran = push(project, "other", IMAGEWRIGHT_REGISTRY=guarded, DOCKER_CONFIG=config, PATH=path)
    assert ran.code == 0, ran.err
    assert ANN.secret not in ran.out + ran.err
    assert stands(project, guarded, ANN, "other")


def test_a_registry_with_a_ca_of_its_own_is_trusted_by_the_bundle_and_by_nothing_else(
    project: SmallProject, tmp_path: Path
) -> None:
    tls = certificate(tmp_path)
    with serving(tmp_path / "registry", tls=tls) as address:
        project.env["IMAGEWRIGHT_REGISTRY"] = address
        ran = push(project, GOOD)
        assert_refused(ran, 7, f"the certificate of {address} is not trusted", "self-signed", "ca_bundle")
        ran = push(project, GOOD, IMAGEWRIGHT_CA_BUNDLE=str(tls.certificate))
        assert ran.code == 0, ran.err
        assert ran.out.startswith(f"{address}/test/{GOOD}:")
        ran = push(project, GOOD, IMAGEWRIGHT_CA_BUNDLE=str(tmp_path / "missing.pem"))
        assert_refused(ran, 2, "missing.pem", "PEM certificates")


# A registry that misbehaves ---------------------------------------------------------------------------------------


def test_a_busy_registry_is_waited_for(project: SmallProject, registry: FaultyRegistry) -> None:
    registry.on("POST", "uploads", answer(429, {"Retry-After": "1"}), times=2)
    ran = push(project, GOOD)
    assert ran.code == 0, ran.err
    assert "main" in tags(registry)[f"test/{GOOD}"]


def test_a_registry_that_always_fails_is_given_up_with_its_own_words(
    project: SmallProject, registry: FaultyRegistry
) -> None:
    registry.on("PUT", f"{GOOD}/blobs/uploads", refuse(500, "UNKNOWN", "disk is full", {"Retry-After": "0"}))
    ran = push(project, GOOD, "other")
    assert_refused(ran, 7, f"in test/{GOOD}", "HTTP 500: UNKNOWN: disk is full", "gave up after 5 attempts")
    assert not registry.manifests


def test_a_registry_that_takes_one_tag_and_not_the_other_has_both_named(
    project: SmallProject, registry: FaultyRegistry
) -> None:
    project.git("checkout", "--quiet", "--detach")
    registry.on("PUT", r"other/manifests/(?!sha256)", refuse(403, "DENIED", "tags are immutable"))
    ran = push(project, GOOD, "other")
    (short,) = tags(registry)[f"test/{GOOD}"]
    assert_refused(ran, 7, "tags are immutable", f"moved: test/{GOOD}:{short}", f"not moved: test/other:{short}")
    assert not tags(registry)["test/other"]


def test_a_registry_that_hangs_up_in_an_upload_gets_the_whole_blob_again(
    project: SmallProject, registry: FaultyRegistry
) -> None:
    registry.on("PUT", "uploads", close_after(100), times=2)
    ran = push(project, GOOD)
    assert ran.code == 0, ran.err
    ((_, manifest),) = image_of(project, GOOD).manifests
    for blob in (*manifest.layers, manifest.config):
        assert registry.blobs[f"test/{GOOD}", str(blob.digest)] == store_of(project).read_blob(blob.digest)


def test_a_tag_that_reads_back_as_something_else_is_found_out(project: SmallProject, registry: FaultyRegistry) -> None:
    registry.on("GET", "manifests/main", answer(200, {"Content-Type": MANIFEST}, b"{}"))
    ran = push(project, GOOD)
    pushed = image_of(project, GOOD).root.digest
    assert_refused(ran, 7, f"test/{GOOD}:main does not stand for what was pushed", f"pushed {pushed}")


# What it is called ------------------------------------------------------------------------------------------------


def test_tags_are_the_commit_the_branch_and_its_versions(project: SmallProject, registry: FaultyRegistry) -> None:
    project.git("tag", "v1.2.3")
    project.git("tag", "not-a-version")
    ran = push(project, GOOD, "other")
    assert ran.code == 0, ran.err
    short = project.git("rev-parse", "HEAD")[:12]
    assert tags(registry)[f"test/{GOOD}"] == {short, "main", "1.2.3", "1.2", "1"}
    digests = {name: image_of(project, name).root.digest for name in (GOOD, "other")}
    assert ran.out.split() == [
        f"{registry.address}/test/{name}:{short}@{digest}" for name, digest in sorted(digests.items())
    ]
    for (repository, _), (_, content) in registry.manifests.items():
        assert Digest.of(content) == digests[repository.removeprefix("test/")]


def test_a_dirty_checkout_gets_a_tag_that_says_so_and_no_other(project: SmallProject, registry: FaultyRegistry) -> None:
    project.git("tag", "v1.2.3")
    (project.root / "new-file").write_text("not committed")
    assert push(project, GOOD).code == 0
    short = project.git("rev-parse", "HEAD")[:12]
    assert tags(registry) == {f"test/{GOOD}": {f"{short}-dirty"}}


def test_a_second_push_writes_nothing(project: SmallProject, registry: FaultyRegistry) -> None:
    assert push(project, GOOD).code == 0
    registry.seen.clear()
    again = push(project, GOOD)
    assert (again.code, "0 B sent" in again.err) == (0, True), again.err
    assert {seen.method for seen in registry.seen} == {"HEAD"}
