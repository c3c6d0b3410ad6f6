"""lint: hadolint over every Dockerfile, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from imagewright.flow.workspace import Workspace
from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import Lint
from imagewright.progress import step
from imagewright.tools import hadolint


def lint(workspace: Workspace, images: Iterable[ImageDefinition]) -> dict[str, Lint]:
    """What the linter says about each image's Dockerfile, by image name; findings never stop a build."""

    def one(image: ImageDefinition) -> Lint:
        with step(workspace.progress, image.name, "lint") as row:
            found = hadolint.lint(workspace.project.root / image.dockerfile, image.dockerfile)
            for finding in found.findings:
                row.note(f"{finding.file}:{finding.line} {finding.level} {finding.code} {finding.message}")
            row.update(_summary(found))
        return found

    chosen = tuple(images)
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip((image.name for image in chosen), pool.map(one, chosen), strict=True))


def _summary(found: Lint) -> str:
    count = len(found.findings)
    return "clean" if count == 0 else f"{count} finding{'s' if count > 1 else ''}"
