"""What is read from a host's apt configuration; the hosts here are invented."""

import pytest

from imagewright.errors import ToolMissing
from imagewright.tools.apt_sources import Source, debian_archive, parse_deb822, parse_one_line, source_list

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

STOCK = f"""
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: {KEYRING}

Types: deb deb-src
URIs: http://mirror.example/debian-security/
Suites: bookworm-security
Components: main
Signed-By: {KEYRING}
"""


def test_every_suite_of_a_deb822_stanza_is_a_source() -> None:
    assert list(parse_deb822(STOCK)) == [
        Source("http://mirror.example/debian", "bookworm", ("main", "contrib"), KEYRING),
        Source("http://mirror.example/debian", "bookworm-updates", ("main", "contrib"), KEYRING),
        Source("http://mirror.example/debian-security", "bookworm-security", ("main",), KEYRING),
    ]


@pytest.mark.parametrize("line", ["Enabled: no", "Enabled: false", "Types: deb-src"])
def test_a_disabled_or_source_only_stanza_is_passed_over(line: str) -> None:
    assert list(parse_deb822(f"Types: deb\nURIs: http://x/debian\nSuites: sid\nComponents: main\n{line}\n")) == []


def test_a_one_line_source_may_have_options() -> None:
    text = f"""
    # deb http://old.example/debian bookworm main
    deb [arch=amd64 signed-by={KEYRING}] http://mirror.example/debian/ bookworm main contrib # ours
    deb-src http://mirror.example/debian bookworm main
    deb http://mirror.example/debian bookworm-updates main
    """
    assert list(parse_one_line(text)) == [
        Source("http://mirror.example/debian", "bookworm", ("main", "contrib"), KEYRING),
        Source("http://mirror.example/debian", "bookworm-updates", ("main",), ""),
    ]


def test_keys_written_out_in_the_source_are_not_the_archive_keyring() -> None:
    text = (
        "Types: deb\nURIs: http://x\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN PGP-----\n .\n mQ==\n"
    )
    assert [source.signed_by for source in parse_deb822(text)] == ["other"]


def test_third_party_archives_with_the_same_suite_are_ignored() -> None:
    sources = [
        Source("http://third.example/php", "bookworm", ("main",), "/usr/share/keyrings/third.gpg"),
        Source("http://unsigned.example", "bookworm", ("main",), ""),
        Source("http://docker.example", "bookworm", ("stable",), ""),
        *parse_deb822(STOCK),
    ]
    archive = debian_archive(sources, "bookworm")
    assert (archive.main, archive.updates, archive.security) == (
        "http://mirror.example/debian",
        "http://mirror.example/debian",
        "http://mirror.example/debian-security",
    )


def test_the_lists_of_another_suite_use_the_same_mirror_and_keyring() -> None:
    assert source_list(debian_archive(parse_deb822(STOCK), "bookworm"), "trixie").splitlines() == [
        f"deb [signed-by={KEYRING}] http://mirror.example/debian trixie main",
        f"deb [signed-by={KEYRING}] http://mirror.example/debian trixie-updates main",
        f"deb [signed-by={KEYRING}] http://mirror.example/debian-security trixie-security main",
    ]


def test_a_host_without_updates_and_security_gets_neither() -> None:
    archive = debian_archive([Source("http://mirror.example/debian", "sid", ("main",))], "sid")
    assert source_list(archive, "trixie") == f"deb [signed-by={KEYRING}] http://mirror.example/debian trixie main\n"


def test_a_host_without_a_debian_archive_is_told_so() -> None:
    with pytest.raises(ToolMissing, match="no Debian archive for 'bookworm'"):
        debian_archive([Source("http://third.example", "bookworm", ("stable",), "")], "bookworm")
