"""Digests, platforms and references: parsed or refused, and written back as they were read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright import schema
from imagewright.reference import Digest, Platform, Reference

HEX = "0123456789abcdef" * 4

digests = st.binary(max_size=8).map(Digest.of)
platforms = st.builds(
    Platform,
    st.sampled_from(["linux", "windows"]),
    st.sampled_from(["amd64", "arm64", "arm"]),
    st.sampled_from(["", "v7", "v8.1"]),
)
registries = st.sampled_from(
    ["docker.io", "localhost", "localhost:5000", "[::1]:5000", "ghcr.example", "R.example:443"]
)
repositories = st.from_regex(r"[a-z0-9]{1,4}((\.|_|__|-{1,3})[a-z0-9]{1,3})?(/[a-z0-9]{1,4}){1,2}", fullmatch=True)
tags = st.just("") | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,12}", fullmatch=True)


@given(digests)
def test_a_digest_reads_back_what_it_writes(digest: Digest) -> None:
    assert Digest.parse(str(digest)) == digest


@given(platforms)
def test_a_platform_reads_back_what_it_writes(platform: Platform) -> None:
    assert Platform.parse(str(platform)) == platform


@given(registries, repositories, tags, st.none() | digests)
def test_a_reference_reads_back_what_it_writes(registry: str, repository: str, tag: str, digest: Digest | None) -> None:
    reference = Reference(registry, repository, tag, digest)
    assert Reference.parse(str(reference)) == reference


@given(st.text(max_size=40))
def test_any_text_is_a_reference_or_refused_and_what_is_read_is_stable(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except ValueError:
        return
    assert Reference.parse(str(reference)) == reference


@given(st.binary(max_size=64))
def test_a_digest_is_that_of_the_bytes(data: bytes) -> None:
    assert Digest.of(data).hex == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("debian", "docker.io/library/debian"),
        ("debian:trixie-slim", "docker.io/library/debian:trixie-slim"),
        ("bitnami/redis", "docker.io/bitnami/redis"),
        ("docker.io/debian", "docker.io/library/debian"),
        ("index.docker.io/debian:12", "docker.io/library/debian:12"),
        ("localhost/app", "localhost/app"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("ghcr.example/a/b/c", "ghcr.example/a/b/c"),
        (f"debian@sha256:{HEX}", f"docker.io/library/debian@sha256:{HEX}"),
        (f"debian:12@sha256:{HEX}", f"docker.io/library/debian:12@sha256:{HEX}"),
    ],
)
def test_short_names_mean_what_every_docker_client_takes_them_for(text: str, full: str) -> None:
    assert str(Reference.parse(text)) == full


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "@",
        "/",
        "debian:",
        "debian@",
        "Debian",
        "de bian",
        "debian\n",
        "a//b",
        "-a",
        "a_-b",
        "host.example/",
        "host.example:port/a",
        "-host.example/a",
        "a:" + "t" * 129,
        "a:.tag",
        "a" * 256,
        f"a@sha256:{HEX[:-1]}",
        f"a@sha256:{HEX.upper()}",
        f"a@sha512:{HEX * 2}",
        "https://host.example/a",
        "oci-layout:///a",
    ],
)
def test_junk_is_no_reference(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a|the tag is empty"):
        Reference.parse(text)


@pytest.mark.parametrize("text", ["", "sha256", "sha256:", HEX, f"sha256:{HEX}0", f"sha256:{HEX}\n", f"md5:{HEX}"])
def test_junk_is_no_digest(text: str) -> None:
    with pytest.raises(ValueError, match="not a sha256 digest"):
        Digest.parse(text)


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux/amd64/", "Linux/amd64", "a b/c"]
)
def test_junk_is_no_platform(text: str) -> None:
    with pytest.raises(ValueError, match="not a platform"):
        Platform.parse(text)


@pytest.mark.parametrize(
    "registry", ["localhost", "localhost:5000", "127.0.0.1", "127.8.9.10:1", "[::1]", "[::1]:5000"]
)
def test_this_machine_is_loopback(registry: str) -> None:
    assert Reference(registry, "a").is_loopback


@pytest.mark.parametrize(
    "registry",
    [
        "docker.io",
        "localhost.example",
        "127.0.0.1.example:5000",
        "a127.0.0.1",
        "10.0.0.1",
        "128.0.0.1",
        "[::2]:5000",
        "[fe80::1]",
        "0.0.0.0:5000",
    ],
)
def test_any_other_machine_is_not_loopback(registry: str) -> None:
    assert not Reference(registry, "a").is_loopback


def test_a_registry_host_is_checked() -> None:
    for junk in ("", "a/b", "a b", "host:123456", "user@host"):
        with pytest.raises(ValueError, match="not a registry host"):
            Reference(junk, "a")


def test_tag_and_digest_are_put_on_a_name_without_touching_it() -> None:
    name = Reference.parse("localhost:5000/todo/backend")
    digest = Digest(HEX)
    assert str(name.with_tag("1").with_digest(digest)) == f"localhost:5000/todo/backend:1@sha256:{HEX}"
    assert name.name == "localhost:5000/todo/backend"
    assert digest.short == HEX[:12]


@dataclass(frozen=True, slots=True)
class Holder:
    digest: Digest
    platform: Platform
    reference: Reference | None = None


@given(st.builds(Holder, digests, platforms, st.none() | st.builds(Reference, registries, repositories)))
def test_records_hold_them_as_the_text_they_were_parsed_from(holder: Holder) -> None:
    written = schema.dump(holder)
    assert written["digest"] == str(holder.digest)
    assert written["platform"] == str(holder.platform)
    assert schema.read(Holder, written) == holder
    values = {"digest": holder.digest, "platform": holder.platform, "reference": holder.reference}
    assert schema.read(Holder, values) == holder
