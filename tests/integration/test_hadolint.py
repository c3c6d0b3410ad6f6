"""The real hadolint."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagewright.errors import ToolFailed
from imagewright.tools import hadolint

pytestmark = pytest.mark.integration


def found(dockerfile: Path) -> list[tuple[int, str, str]]:
    """Line, code and level of every finding."""
    return [(one.line, one.code, one.level) for one in hadolint.lint(dockerfile, "Dockerfile").findings]


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
        home = tmp_path / "home"
        for folder in (tmp_path, home, home / ".config"):
            folder.mkdir(exist_ok=True)
            for name in (".hadolint.yaml", ".hadolint.yml", "hadolint.yaml"):
                (folder / name).write_text("ignored: [DL3006, DL3025]\n")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
        monkeypatch.setenv("HADOLINT_IGNORE", "DL3006,DL3025")
        monkeypatch.setenv("HADOLINT_CONFIG", str(home / ".hadolint.yaml"))
        monkeypatch.setenv("HADOLINT_FAILURE_THRESHOLD", "none")
        monkeypatch.setenv("HADOLINT_OVERRIDE_INFO", "DL3006,DL3025")
        monkeypatch.setenv("HADOLINT_TRUSTED_REGISTRIES", "docker.io")
        dockerfile = tmp_path / "Dockerfile"
        dockerfile.write_text("FROM debian\nCMD sh\n")
        assert found(Path("Dockerfile")) == [(1, "DL3006", "warning"), (2, "DL3025", "warning")]

    @pytest.mark.parametrize(
        "pragma", ["# hadolint ignore=DL3006", "# hadolint global ignore=DL3006,DL3025", "#hadolint   ignore = DL3006"]
    )
    def test_a_comment_in_the_dockerfile_excuses_nothing(self, tmp_path: Path, pragma: str) -> None:
        dockerfile = tmp_path / "Dockerfile"
        dockerfile.write_text(f"{pragma}\nFROM debian\n# hadolint ignore=DL3025\nCMD sh\n")
        assert found(dockerfile) == [(2, "DL3006", "warning"), (4, "DL3025", "warning")]

    def test_the_comments_that_nothing_switches_off_are_findings_themselves(self, tmp_path: Path) -> None:
        """They really hide something: a newer linter that ignores them too would make the finding needless."""
        dockerfile = tmp_path / "Dockerfile"
        dockerfile.write_text("FROM debian:13\nRUN echo $x\n")
        assert found(dockerfile) == [(2, "SC2086", "info")]
        dockerfile.write_text("# hadolint shell=powershell\nFROM debian:13\nRUN echo $x\n")
        assert found(dockerfile) == [(1, "PRAGMA", "warning")]
        dockerfile.write_text("FROM debian:13\nRUN <<END\n# shellcheck disable=SC2086,SC2154\necho $x\nEND\n\nCMD []\n")
        assert found(dockerfile) == [(3, "PRAGMA", "warning")]

    def test_only_an_outside_image_is_asked_for_a_tag(self, tmp_path: Path) -> None:
        """The linter really asks all of them, and in the lines in which this program reads the names."""
        dockerfile = tmp_path / "Dockerfile"
        dockerfile.write_text(
            "# both are ours\nFROM debian AS build\nFROM build\nFROM \\\n  base-python\n"
            "COPY --from=base-node /usr/bin/node /usr/bin/\nCOPY --from=tool /tool /\n"
        )
        asked = {(2, "DL3006"), (4, "DL3006"), (6, "DL3022"), (7, "DL3022")}
        assert {(line, code) for line, code, _ in found(dockerfile)} == asked
        ours = hadolint.lint(dockerfile, "Dockerfile", needs=("base-python", "base-node"))
        assert {(one.line, one.code) for one in ours.findings} == {(2, "DL3006"), (7, "DL3022")}

    def test_a_missing_dockerfile_is_a_failure(self, tmp_path: Path) -> None:
        with pytest.raises(ToolFailed):
            hadolint.lint(tmp_path / "nowhere", "nowhere")
