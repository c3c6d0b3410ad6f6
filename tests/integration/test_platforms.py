"""One name, two platforms: each is scanned and judged, and an index goes up when all of them pass."""

from __future__ import annotations

import json

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


@pytest.fixture
def both(project: SmallProject) -> SmallProject:
    platforms = 'platforms = ["linux/amd64", "linux/arm64"]'
    project.image("both", DOCKERFILE, extra=platforms, lets_in=("etc", "var"))
    for name, text in FILES.items():
        path = project.root / "images/both" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    project.commit()
    return project


def test_each_platform_is_judged_and_the_index_is_pushed(both: SmallProject) -> None:
    ran = both.run("build", "scan", "push")
    assert ran.code == 0, ran.err
    image = Store(both.root / "out/store").image("both")
    assert {str(platform) for platform, _ in image.manifests} == {"linux/amd64", "linux/arm64"}
    assert ran.out.strip().endswith(f"@{image.root.digest}")
    reports = both.root / "out/reports"
    for platform, manifest in image.manifests:
        folder = reports / f"both-{platform.os}-{platform.architecture}"
        assert json.loads((folder / "report.json").read_text())["digest"] == str(manifest.digest)


@pytest.mark.covers("SEC-027")
def test_one_platform_without_a_scan_holds_the_whole_image_back(both: SmallProject) -> None:
    assert both.run("build", "scan").code == 0
    image = Store(both.root / "out/store").image("both")
    (both.root / "out/evidence/sha256" / image.manifests[1][1].digest.hex / "scan.json").unlink()
    ran = both.run("push")
    assert ran.code == 8
    assert "no scan record" in ran.err
    assert ran.out == ""
