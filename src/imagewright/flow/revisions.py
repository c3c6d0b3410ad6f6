"""Where the inputs of images stand in git, all of them in one look."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from imagewright import commits, context, plan
from imagewright.flow.workspace import Workspace
from imagewright.model.records import Source
from imagewright.tools import git


def sources(workspace: Workspace, names: Iterable[str]) -> dict[str, Source]:
    """The last commit that touched the inputs of each named image and of what it needs, and whether they differ now.

    An image is named after its own inputs, so a commit elsewhere changes no byte of it.
    """
    project = workspace.project
    root = project.root
    images = plan.select(project, names)
    ignores = (context.ignore_file(root, image.dockerfile, image.context) for image in images)
    owners = commits.Owners((image, context.rules(root, file)) for image, file in zip(images, ignores, strict=True))
    url = git.remote_url(root) or project.settings.source_url
    folders = owners.folders
    # Git looks at every file while the history is read.
    with ThreadPoolExecutor(max_workers=1) as pool:
        changed = pool.submit(git.changed, root, folders)
        last = commits.last_commits(owners, git.commits(root, folders))
        return commits.sources(owners, last, changed.result(), url=url)
