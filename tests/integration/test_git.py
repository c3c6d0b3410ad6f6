"""What git knows of an image's inputs, asked of real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagewright.errors import ToolFailed, ToolMissing
from imagewright.tools import git, process
from imagewright.tools.git import Head

pytestmark = pytest.mark.integration


class Checkout:
    """A repository being worked in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()

    def git(self, *words: str) -> str:
        return process.run(["git", "-C", self.root, *words]).stdout.decode().strip()

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, **files: str) -> str:
        """Write files (``__`` in a name is a slash), commit everything, give the commit's name back."""
        for name, text in files.items():
            self.write(name.replace("__", "/"), text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture(autouse=True)
def _own_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine, no author of its own, and no repository above the tests' folder."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.org")
        monkeypatch.setenv(f"GIT_{role}_DATE", "2026-01-02T03:04:05Z")


EPOCH = 1767323045  # the date above


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path / "checkout")
    made.git("init", "--quiet", "--initial-branch=main")
    return made


def test_a_clean_checkout_stands_on_its_commit_and_branch(checkout: Checkout) -> None:
    commit = checkout.commit(a="1")
    assert git.head(checkout.root) == Head(commit, "main", (), dirty=False)
    assert git.tags_for(git.head(checkout.root)) == (commit[:12], "main")


def test_a_changed_file_makes_the_tree_dirty_and_only_that_is_tagged(checkout: Checkout) -> None:
    commit = checkout.commit(a="1")
    checkout.git("tag", "v1.0.0")
    checkout.write("a", "2")
    state = git.head(checkout.root)
    assert state.dirty
    assert git.tags_for(state) == (f"{commit[:12]}-dirty",)


def test_an_untracked_file_makes_the_tree_dirty(checkout: Checkout) -> None:
    checkout.commit(a="1")
    checkout.write("new/file", "1")
    assert git.head(checkout.root).dirty


def test_an_ignored_file_does_not(checkout: Checkout) -> None:
    checkout.commit(**{".gitignore": "out/\n"})
    checkout.write("out/file", "1")
    assert not git.head(checkout.root).dirty


def test_a_detached_checkout_has_no_branch(checkout: Checkout) -> None:
    commit = checkout.commit(a="1")
    checkout.git("checkout", "--quiet", "--detach")
    assert git.head(checkout.root) == Head(commit, "", (), dirty=False)
    assert git.tags_for(git.head(checkout.root)) == (commit[:12],)


def test_a_semantic_version_tag_gives_its_shorter_forms_and_other_tags_nothing(checkout: Checkout) -> None:
    commit = checkout.commit(a="1")
    for tag in ("v1.2.3", "v1.2.3-rc.1", "1.2.3", "v1.2", "vnext", "v1.2.3+build"):
        checkout.git("tag", tag)
    state = git.head(checkout.root)
    assert "vnext" in state.tags
    assert git.tags_for(state) == (commit[:12], "main", "1.2.3", "1.2", "1", "1.2.3-rc.1")


def test_a_tag_on_another_commit_is_not_this_ones(checkout: Checkout) -> None:
    checkout.commit(a="1")
    checkout.git("tag", "v1.0.0")
    checkout.commit(a="2")
    assert git.head(checkout.root).tags == ()


@pytest.mark.parametrize(
    ("branch", "tag"),
    [("feature/Über+x", "feature-ber-x"), ("-x/.y", "x-.y"), ("a" * 200, "a" * 128), ("release/1.x", "release-1.x")],
)
def test_a_branch_becomes_a_tag_registries_accept(branch: str, tag: str) -> None:
    assert git.tags_for(Head("c" * 40, branch, (), dirty=False)) == ("c" * 12, tag)


def test_before_the_first_commit_there_is_no_commit(checkout: Checkout) -> None:
    assert git.head(checkout.root) == Head("", "", (), dirty=True)
    assert git.tags_for(git.head(checkout.root)) == ("uncommitted-dirty",)
    assert git.source(checkout.root, ["a"]).revision == "unknown"


def test_outside_git_there_is_nothing_to_know(tmp_path: Path) -> None:
    assert git.head(tmp_path) == Head("", "", (), dirty=True)
    source = git.source(tmp_path, ["a"], url="https://git.example/x")
    assert (source.revision, source.epoch, source.dirty, source.url) == ("unknown", 0, True, "https://git.example/x")
    assert git.remote_url(tmp_path) == ""


def test_without_git_itself_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="git was not found"):
        git.head(tmp_path)


def test_a_checkout_git_refuses_to_read_is_not_taken_for_none(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.commit(a="1")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # what git's own tests of this use
    with pytest.raises(ToolFailed, match="git refuses to read this checkout") as caught:
        git.head(checkout.root)
    assert "safe.directory" in caught.value.why


def test_an_image_is_of_the_commit_that_last_touched_its_inputs(checkout: Checkout) -> None:
    first = checkout.commit(images__app__main="1", images__web__main="1")
    source = git.source(checkout.root, ["images/app"])
    assert (source.revision, source.epoch, source.dirty) == (first, EPOCH, False)
    checkout.commit(images__web__main="2", README="elsewhere")
    assert git.source(checkout.root, ["images/app"]) == source
    later = checkout.commit(images__app__main="2")
    assert git.source(checkout.root, ["images/app"]).revision == later


def test_an_image_is_dirty_by_its_own_inputs_alone(checkout: Checkout) -> None:
    commit = checkout.commit(images__app__main="1", images__web__main="1")
    checkout.write("images/web/main", "2")
    checkout.write("untracked", "1")
    assert git.source(checkout.root, ["images/app"]).revision == commit
    checkout.write("images/app/new", "1")
    source = git.source(checkout.root, ["images/app", "dockerfiles/none"])
    assert (source.revision, source.dirty, source.epoch) == (f"{commit}-dirty", True, EPOCH)


def test_an_input_that_was_removed_makes_the_image_dirty(checkout: Checkout) -> None:
    checkout.commit(images__app__main="1", images__app__other="1")
    (checkout.root / "images/app/other").unlink()
    assert git.source(checkout.root, ["images/app"]).dirty


def test_an_input_nobody_committed_is_of_no_commit(checkout: Checkout) -> None:
    checkout.commit(a="1")
    checkout.write("images/app/main", "1")
    assert git.source(checkout.root, ["images/app"]).revision == "unknown"


def test_looking_does_not_write_to_the_repository(checkout: Checkout) -> None:
    checkout.commit(a="1")
    (checkout.root / "a").touch()
    index = checkout.root / ".git" / "index"
    before = index.stat().st_mtime_ns, index.read_bytes()
    git.head(checkout.root)
    git.source(checkout.root, ["a"])
    assert (index.stat().st_mtime_ns, index.read_bytes()) == before


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://git.example/team/todo.git", "https://git.example/team/todo"),
        ("https://git.example/team/todo/", "https://git.example/team/todo"),
        ("https://user:secret@git.example/team/todo.git", "https://git.example/team/todo"),
        ("https://secret@git.example:8443/team/todo", "https://git.example:8443/team/todo"),
        ("https://user:s@cret@git.example/team/todo", "https://git.example/team/todo"),
        ("http://git.example/todo", "http://git.example/todo"),
        ("git@git.example:team/todo.git", "https://git.example/team/todo"),
        ("git@git.example:/team/todo", "https://git.example/team/todo"),
        ("ssh://git@git.example/team/todo.git", "https://git.example/team/todo"),
        ("ssh://git@git.example:2222/team/todo.git", "https://git.example/team/todo"),
        ("ssh://alice@git.example/team/todo", ""),
        ("/srv/git/todo.git", ""),
        ("file:///srv/git/todo.git", ""),
    ],
)
def test_the_origins_address_is_a_web_page_without_credentials(checkout: Checkout, remote: str, url: str) -> None:
    checkout.git("remote", "add", "origin", remote)
    assert git.remote_url(checkout.root) == url


def test_without_an_origin_there_is_no_address(checkout: Checkout) -> None:
    assert git.remote_url(checkout.root) == ""
