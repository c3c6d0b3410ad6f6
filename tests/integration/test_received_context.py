"""The key of a build holds exactly what a build receives: compared with what a real one copied."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
from pathlib import Path

import pytest

from imagewright import context
from imagewright.filehash import FileHashes
from imagewright.oci.layout import Store
from tests.integration.conftest import SmallProject

pytestmark = pytest.mark.integration

IGNORED = {
    "nothing": "",
    "all-but-some": "*\n!app\n!docs/**/readme.md\n**/*.key\n",
    "exceptions": "**\n!app/main.py\n!**/*.md\n",
    "nested": "app/sub\n!app/sub/deep\nempty\n**/link\n",
    "folder-by-name": "**/sub\n!app/sub/x.key\ndocs/*\n",
    "again-out": "*\n!app\napp/sub/*\n!app/sub/deep\n!empty\n",
    "odd": "[a-e]*\n!docs\n?pp\nsp ace\n!e?pty\n",
}
FILES = (
    *("app/main.py", "app/.env", "app/sub/x.key", "app/sub/deep/y.key", "docs/readme.md", "docs/x/readme.md"),
    *("docs/x/other", "sp ace/f", "top", "lib/[id]/r.ts"),
)


def fill(folder: Path) -> None:
    """Files with modes, links that lead inside, outside and nowhere and empty folders; one file has two names."""
    for number, name in enumerate(FILES):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.chmod((0o644, 0o755, 0o600, 0o4755)[number % 4])
    for name, mode in (("empty", 0o755), ("app/hollow", 0o700), ("docs/none/below", 0o1777)):
        (folder / name).mkdir(parents=True)
        (folder / name).chmod(mode)
    for name, leads in (("link", "top"), ("app/link", "../docs"), ("app/sub/gone", "/no/where")):
        (folder / name).symlink_to(leads)
    os.link(folder / "top", folder / "app/second-name")
    (folder / "image.toml").chmod(0o640)


def received(root: Path, name: str) -> dict[str, str]:
    """What the key of a build says it receives, by name within the context."""
    parts = context.files(root, f"dockerfiles/{name}.Dockerfile", f"images/{name}", FileHashes())
    below = f"images/{name}/"
    # Of a file with two names the second comes as a link to the first, so it stands in the parts twice.
    return {
        part.removeprefix(f"{kind} {below}"): f"{kind} {value.removeprefix(below)}"
        for part, value in parts
        for kind in ("file", "folder", "link", "hard link")
        if part.startswith(f"{kind} {below}")
    }


def copied(store: Store, name: str) -> dict[str, str]:
    """What lies in the image, in the same words."""
    (layer,) = store.image(name).manifests[0][1].layers
    found: dict[str, str] = {}
    with tarfile.open(fileobj=gzip.open(store.open_blob(layer.digest))) as tar:
        for member in tar:
            path = member.name.rstrip("/").removeprefix("context").lstrip("/")
            if path and member.isdir():
                found[path] = f"folder {member.mode:o}"
            elif member.islnk():
                found[path] = f"hard link {member.linkname.removeprefix('context/')}"
            elif member.issym():
                found[path] = f"link {member.linkname}"
            elif path:
                data = tar.extractfile(member)
                assert data is not None, path
                found[path] = f"file {member.mode:o} {hashlib.sha256(data.read()).hexdigest()}"
    return found


def test_the_key_holds_what_a_build_receives_and_nothing_else(project: SmallProject) -> None:
    for name, text in IGNORED.items():
        project.image(name, "FROM scratch\nCOPY . /context\n")
        fill(project.root / "images" / name)
        (project.root / f"dockerfiles/{name}.Dockerfile.dockerignore").write_text(text)
    (project.root / "dockerfiles/nested.Dockerfile.dockerignore").rename(project.root / "images/nested/.dockerignore")
    project.commit()
    ran = project.run("build")
    assert ran.code == 0, ran.err
    store = Store(project.root / "out/store")
    for name in IGNORED:
        assert received(project.root, name) == copied(store, name), name
