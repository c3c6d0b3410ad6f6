"""Package URLs: read, written, compared; two spellings of one package are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.purl import Purl, covers

PARTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
TYPES = st.sampled_from(["deb", "npm", "pypi", "generic", "maven", "oci"])


@st.composite
def purls(draw: st.DrawFn) -> Purl:
    """Any package URL, as reading one gives it."""
    keys = draw(st.lists(st.sampled_from(["arch", "distro", "epoch"]), unique=True))
    made = Purl(
        draw(TYPES),
        tuple(draw(st.lists(PARTS, max_size=2))),
        draw(PARTS),
        draw(st.one_of(st.just(""), PARTS)),
        tuple((key, draw(PARTS)) for key in sorted(keys)),
    )
    return Purl.parse(str(made))


@pytest.mark.parametrize(
    ("text", "purl"),
    [
        ("pkg:pypi/Jinja2@2.10", Purl("pypi", (), "jinja2", "2.10")),
        ("pkg:pypi/typing_extensions", Purl("pypi", (), "typing-extensions")),
        ("pkg:npm/%40next/env@16.0.7", Purl("npm", ("@next",), "env", "16.0.7")),
        ("pkg:npm/@next/env@16.0.7", Purl("npm", ("@next",), "env", "16.0.7")),
        ("pkg:npm/@next/env", Purl("npm", ("@next",), "env")),
        (
            "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?distro=debian-13&arch=amd64",
            Purl("deb", ("debian",), "libstdc++6", "14.2.0-19", (("arch", "amd64"), ("distro", "debian-13"))),
        ),
        (
            "pkg:oci/Debian@sha256%3A244f?repository_url=registry.example/library/debian#sub/path",
            Purl("oci", (), "debian", "sha256:244f", (("repository_url", "registry.example/library/debian"),)),
        ),
        ("pkg:DEB/debian/zlib1g@1:1.3", Purl("deb", ("debian",), "zlib1g", "1:1.3")),
        ("pkg:golang/google.golang.org/genproto@v1#api", Purl("golang", ("google.golang.org",), "genproto", "v1")),
    ],
)
def test_a_package_url_is_read_into_its_parts(text: str, purl: Purl) -> None:
    assert Purl.parse(text) == purl
    assert Purl.parse(str(purl)) == purl


@pytest.mark.parametrize("text", ["", "jinja2", "pkg:", "pkg:pypi", "pkg:pypi/", "pkg:/x", "pkg:pypi/@2.10", "PKG"])
def test_what_is_no_package_url_is_refused_and_covers_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="is no package URL"):
        Purl.parse(text)
    assert not covers(text, text)
    assert not covers("pkg:pypi/jinja2", text)


@given(purls())
def test_what_is_written_is_read_back_the_same(purl: Purl) -> None:
    assert Purl.parse(str(purl)) == purl


@given(TYPES, st.sampled_from("0123456789abcdefghijklmnopqrstuvwxyz.-_+~"))
def test_a_character_means_the_same_percent_encoded(type: str, character: str) -> None:
    encoded = f"pkg:{type}/x%{ord(character):02x}y@1%{ord(character):02X}"
    plain = f"pkg:{type}/x{character}y@1{character}"
    assert covers(encoded, plain)
    assert covers(plain, encoded)


@given(purls())
def test_a_package_is_covered_by_itself_and_with_less_said(purl: Purl) -> None:
    text = str(purl)
    assert covers(text, text)
    assert covers(text.partition("?")[0], text)
    assert covers(str(Purl(purl.type, purl.namespace, purl.name)), text)


@given(purls(), purls())
def test_a_package_covers_no_other(one: Purl, other: Purl) -> None:
    same = (one.type, one.namespace, one.name) == (other.type, other.namespace, other.name)
    if not same or (one.version and one.version != other.version):
        assert not covers(str(one), str(other))


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert Purl.parse(f"pkg:{text}").name
    except ValueError:
        assert not covers(f"pkg:{text}", f"pkg:{text}")
