"""The real hadolint."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagewright.errors import ToolFailed
from imagewright.tools import hadolint

pytestmark = pytest.mark.integration


class TestHadolint:
    def test_a_dockerfile_is_linted_by_the_installed_binary(self, tmp_path: Path) -> None:
        dockerfile = tmp_path / "Dockerfile"
        dockerfile.write_text("FROM debian\nCMD sh\n")
        found = hadolint.lint(dockerfile, "dockerfiles/x.Dockerfile")
        assert [(item.file, item.code) for item in found.findings] == [
            ("dockerfiles/x.Dockerfile", "DL3006"),
            ("dockerfiles/x.Dockerfile", "DL3025"),
        ]
        assert found.linter.version.count(".") == 2
        assert found.linter.sha256 is not None

    def test_a_configuration_lying_around_hides_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".hadolint.yaml").write_text("ignored: [DL3006, DL3025]\n")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HADOLINT_IGNORE", "DL3006,DL3025")
        dockerfile = tmp_path / "Dockerfile"
        dockerfile.write_text("FROM debian\nCMD sh\n")
        assert len(hadolint.lint(Path("Dockerfile"), "Dockerfile").findings) == 2

    def test_a_configuration_that_is_named_counts(self, tmp_path: Path) -> None:
        (tmp_path / "hadolint.yaml").write_text("ignored: [DL3006]\n")
        (tmp_path / "Dockerfile").write_text("FROM debian\nCMD sh\n")
        found = hadolint.lint(tmp_path / "Dockerfile", "Dockerfile", config=tmp_path / "hadolint.yaml")
        assert [item.code for item in found.findings] == ["DL3025"]

    def test_a_missing_dockerfile_is_a_failure(self, tmp_path: Path) -> None:
        with pytest.raises(ToolFailed):
            hadolint.lint(tmp_path / "nowhere", "nowhere")
