"""The facts document: what is derived, what is hidden, what is never guessed."""

from __future__ import annotations

import dataclasses
import json

import pytest

from imagewright import schema
from imagewright.errors import EvidenceError
from imagewright.facts import build_facts, to_document
from imagewright.facts.files import program_exists
from imagewright.model.facts import Facts, FilesFacts, canonical
from imagewright.model.findings import Database, LintFinding, NotChecked, Secret
from imagewright.model.image import FileEntry, HealthCheck
from imagewright.model.records import UsedBase
from imagewright.reference import Digest
from tests.unit import factory
from tests.unit.factory import build, config, contents, definition, entry, inputs, lint, sboms, scan, vulnerability


def of_config(**changes: object) -> Facts:
    return build_facts(definition(), build(), config(**changes), contents(), lint(), scan(), sboms(), inputs())


def of_files(*files: FileEntry, deleted: tuple[FileEntry, ...] = ()) -> FilesFacts:
    return build_facts(
        definition(), build(), config(), contents(*files, deleted=deleted), lint(), scan(), sboms(), inputs()
    ).files


def of_scan(**changes: object) -> Facts:
    return build_facts(definition(), build(), config(), contents(), lint(), scan(**changes), sboms(), inputs())


def test_the_document_is_plain_json_and_reads_back_as_the_same_facts() -> None:
    document = to_document(factory.facts())
    assert schema.read(Facts, json.loads(canonical(document))) == factory.facts()


def test_the_same_inputs_give_the_same_bytes_in_whatever_order_tools_report() -> None:
    findings = (vulnerability(), vulnerability(id="CVE-2026-0002", severity="CRITICAL"), vulnerability(package="a"))
    there, back = of_scan(vulnerabilities=findings), of_scan(vulnerabilities=findings[::-1])
    assert canonical(to_document(there)) == canonical(to_document(back))
    assert [item.severity for item in there.vulnerabilities] == ["CRITICAL", "LOW", "LOW"]


@pytest.mark.parametrize(
    ("user", "uid", "gid", "numeric"),
    [
        ("65532:65532", 65532, 65532, True),
        ("", 0, 0, False),
        ("1000", 1000, 0, False),
        ("app", -1, 0, False),
        ("1000:app", 1000, -1, False),
        ("root", -1, 0, False),
        ("²:²", -1, -1, False),
    ],
)
def test_a_user_is_a_number_or_it_is_not(user: str, uid: int, gid: int, numeric: bool) -> None:
    found = of_config(user=user).config
    assert (found.uid, found.gid, found.numeric) == (uid, gid, numeric)


def test_ports_are_numbers_in_order() -> None:
    assert of_config(ports=("8080/tcp", "53/udp", "odd")).config.ports == (0, 53, 8080)


def test_secret_looking_variables_are_named_and_their_values_hidden() -> None:
    env = (("AUTH_SECRET", "hush"), ("DB", "postgres://u:hush@db/x"), ("API_KEY", ""), ("PORT", "1"), ("KEYS", "x"))
    found = of_config(env=env).config
    assert found.secret_env == ("AUTH_SECRET", "DB")
    assert "hush" not in str(found)
    assert found.env["PORT"] == "1"


@pytest.mark.parametrize(
    ("test", "present", "exec_form", "program", "exists"),
    [
        ((), False, False, "", False),
        (("NONE",), False, False, "", False),
        (("CMD", "python3", "-c", "1"), True, True, "python3", True),
        (("CMD", "/usr/bin/python3"), True, True, "/usr/bin/python3", True),
        (("CMD", "curl", "-f", "x"), True, True, "curl", False),
        (("CMD-SHELL", "curl -f x || exit 1"), True, False, "curl", False),
        (("CMD",), True, True, "", False),
    ],
)
def test_a_health_check_is_looked_up_in_the_image(
    test: tuple[str, ...], present: bool, exec_form: bool, program: str, exists: bool
) -> None:
    found = of_config(healthcheck=HealthCheck(test)).config.healthcheck
    assert (found.present, found.exec_form, found.program, found.program_exists) == (
        present,
        exec_form,
        program,
        exists,
    )


@pytest.mark.parametrize(
    ("program", "exists"),
    [
        ("/bin/tool", True),
        ("tool", True),
        ("/usr/bin/../bin/tool", True),
        ("/bin/loop", False),
        ("/bin/plain", False),
        ("/bin/dangling", False),
        ("/usr/bin", False),
        ("", False),
    ],
)
def test_programs_are_found_through_links_as_the_kernel_would(program: str, exists: bool) -> None:
    files = (
        entry("/bin", kind="symlink", target="usr/bin"),
        entry("/usr/bin", kind="directory", mode=0o755),
        entry("/usr/bin/tool", kind="symlink", target="/opt/tool-1/../tool-2"),
        entry("/opt/tool-2", mode=0o755),
        entry("/usr/bin/loop", kind="symlink", target="loop"),
        entry("/usr/bin/dangling", kind="symlink", target="nowhere"),
        entry("/usr/bin/plain", mode=0o644),
    )
    assert program_exists(program, "/sbin:/bin", {file.path: file for file in files}) is exists


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/app/.env", "environment file"),
        ("/app/.env.production", "environment file"),
        ("/root/.ssh/id_ed25519", "SSH private key"),
        ("/app/tls/server.key", "private key"),
        ("/app/server-key.pem", "private key"),
        ("/etc/ssl/private/snakeoil", "private key"),
        ("/app/.npmrc", "package registry credentials"),
        ("/root/.aws/credentials", "cloud credentials"),
        ("/root/.docker/config.json", "registry credentials"),
        ("/x/terraform.tfstate", "infrastructure state"),
        ("/run/secrets/ca", "mounted secret"),
    ],
)
@pytest.mark.covers("SEC-008")
def test_files_that_look_like_secrets_are_found_in_every_layer(path: str, what: str) -> None:
    assert [(file.looks_like, file.deleted) for file in of_files(entry(path)).secret_shaped] == [(what, False)]
    assert [file.deleted for file in of_files(deleted=(entry(path),)).secret_shaped] == [True]


@pytest.mark.parametrize(
    "path",
    ["/app/.env.example", "/etc/ssl/certs/ca.pem", "/app/keys.py", "/app/monkey", "/x/id_rsa.pub", "/x/config.json"],
)
def test_ordinary_files_do_not_look_like_secrets(path: str) -> None:
    assert of_files(entry(path)).secret_shaped == ()


def test_an_empty_file_or_a_directory_holds_no_secret() -> None:
    assert of_files(entry("/run/secrets/ca", size=0), entry("/a/.env", kind="directory")).secret_shaped == ()


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/bin/sh", "shells"),
        ("/usr/bin/busybox", "shells"),
        ("/usr/bin/apt-get", "package_managers"),
        ("/usr/local/bin/pip3.13", "package_managers"),
        ("/usr/lib/python3/dist-packages/pip/__main__.py", "package_managers"),
        ("/usr/local/lib/node_modules/npm/package.json", "package_managers"),
        ("/usr/bin/x86_64-linux-gnu-gcc-14", "compilers"),
        ("/usr/bin/make", "compilers"),
    ],
)
def test_programs_that_do_not_belong_at_run_time_are_recognised(path: str, where: str) -> None:
    assert [file.path for file in getattr(of_files(entry(path, mode=0o755)), where)] == [path]


@pytest.mark.parametrize("path", ["/usr/share/bash", "/usr/bin/python3.12", "/usr/bin/ldd", "/app/bin/migrate"])
def test_other_programs_are_left_alone(path: str) -> None:
    found = of_files(entry(path, mode=0o755))
    assert found.shells + found.package_managers + found.compilers == ()


def test_setuid_setgid_capabilities_and_world_writable_are_told_by_mode() -> None:
    found = of_files(
        entry("/a", mode=0o4755),
        entry("/b", mode=0o2755),
        entry("/c", capabilities=True),
        entry("/d", mode=0o666),
        entry("/e", mode=0o2775, kind="directory"),
        entry("/f", mode=0o777, kind="symlink"),
        entry("/g", mode=0o666, kind="device"),
    )
    assert [(file.path, file.looks_like, file.mode) for file in found.setuid] == [
        *(("/a", "setuid", "4755"), ("/b", "setgid", "2755")),
    ]
    assert [file.path for file in found.capabilities] == ["/c"]
    assert [(file.path, file.sticky) for file in found.world_writable] == [("/d", False), ("/tmp", True)]


def test_a_base_is_locked_when_the_bytes_used_are_the_bytes_locked() -> None:
    one, other = Digest.of(b"1"), Digest.of(b"2")
    bases = (UsedBase("b", "registry", one, other, "2026-11-01"), UsedBase("a", "registry", one, one, "2026-11-01"))
    found = build_facts(definition(), build(bases=bases), config(), contents(), lint(), scan(), sboms(), inputs()).bases
    assert [(base.name, base.locked, base.locked_at) for base in found] == [
        *(("a", True, "2026-11-01T00:00:00Z"), ("b", False, "2026-11-01T00:00:00Z")),
    ]


def test_what_was_not_checked_is_said_and_not_shown_as_nothing_found() -> None:
    found = of_scan(secrets=NotChecked("turned off"))
    assert (found.checks.secrets.done, found.checks.secrets.reason) == (False, "turned off")
    assert found.checks.licences.done


def test_without_a_database_nobody_looked_for_vulnerabilities() -> None:
    found = of_scan(database=NotChecked("no database"))
    assert (found.checks.vulnerabilities.done, found.checks.vulnerabilities.reason) == (False, "no database")
    assert (found.scan.database_known, found.scan.database_updated_at) == (False, "")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20T06:00:00.123456789Z", "2026-11-20T06:00:00Z"),
        ("2026-11-20T06:00:00+02:00", "2026-11-20T04:00:00Z"),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_dates_become_what_rules_can_count_with(text: str, moment: str) -> None:
    database = Database(Digest.of(b"d"), text, "x")
    assert of_scan(database=database).scan.database_updated_at == moment


def test_findings_know_their_layer_by_number() -> None:
    diff = Digest.of(b"diff")
    secret = Secret("aws", "AWS", "AWS key", "CRITICAL", "/a", 3, layer=diff)
    found = of_scan(
        secrets=(secret, dataclasses.replace(secret, layer=None)),
        vulnerabilities=(vulnerability(layer=diff), vulnerability(id="CVE-2", layer=Digest.of(b"elsewhere"))),
    )
    assert sorted(item.layer for item in found.secrets) == [-1, 0]
    assert sorted(item.layer for item in found.vulnerabilities) == [-1, 0]


def test_lint_findings_are_in_the_order_of_the_file() -> None:
    findings = tuple(LintFinding("Dockerfile", line, 1, "warning", "DL3008", "pin") for line in (9, 2))
    found = build_facts(definition(), build(), config(), contents(), lint(findings=findings), scan(), sboms(), inputs())
    assert [item.line for item in found.lint] == [2, 9]


def test_the_scan_of_another_image_is_refused() -> None:
    with pytest.raises(EvidenceError, match="another image"):
        of_scan(subject=Digest.of(b"other"))
