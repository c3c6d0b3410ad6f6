"""What git knows of an image's inputs, asked of real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagewright.commits import Commit
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
    assert list(git.commits(checkout.root, ["a"])) == []
    checkout.write("a", "1")
    assert git.changed(checkout.root, ["a"]) == ("a",)


def test_outside_git_there_is_nothing_to_know(tmp_path: Path) -> None:
    assert git.head(tmp_path) == Head("", "", (), dirty=True)
    assert list(git.commits(tmp_path, ["a"])) == []
    assert git.changed(tmp_path, ["a"]) == ()
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


def test_the_history_is_listed_newest_first_with_what_each_commit_touched(checkout: Checkout) -> None:
    first = checkout.commit(images__app__main="1", images__web__main="1", README="1")
    checkout.commit(README="2")
    third = checkout.commit(**{"images__app__sp ace": "1", "images__app__é": "1"})
    assert list(git.commits(checkout.root, ["images"])) == [
        Commit(third, EPOCH, ("images/app/sp ace", "images/app/é")),
        Commit(first, EPOCH, ("images/app/main", "images/web/main")),
    ]


def test_a_long_history_is_listed_to_its_end(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "_PORTION", 2)
    made = [checkout.commit(a=str(number)) for number in range(11)]
    assert [commit.id for commit in git.commits(checkout.root, ["a"])] == made[::-1]


def test_a_merge_brings_what_was_done_on_its_side(checkout: Checkout) -> None:
    checkout.commit(a="1")
    checkout.git("checkout", "--quiet", "-b", "side")
    side = checkout.commit(b="1")
    checkout.git("checkout", "--quiet", "main")
    checkout.commit(c="1")
    checkout.git("merge", "--quiet", "--no-edit", "side")
    assert {commit.id for commit in git.commits(checkout.root, ["b"]) if commit.names == ("b",)} == {side}


def test_a_renamed_file_is_one_gone_and_one_new(checkout: Checkout) -> None:
    checkout.commit(a="some text that is long enough to be found again")
    checkout.git("mv", "a", "b")
    assert sorted(git.changed(checkout.root, ["a", "b"])) == ["a", "b"]
    checkout.commit()
    assert next(iter(git.commits(checkout.root, ["a", "b"]))).names == ("a", "b")


def test_what_differs_is_listed_one_by_one(checkout: Checkout) -> None:
    checkout.commit(images__a="1", images__b="1", images__c="1", other="1")
    checkout.write("images/a", "2")
    (checkout.root / "images/b").unlink()
    checkout.write("images/new/deep", "1")
    checkout.write("other", "2")
    assert sorted(git.changed(checkout.root, ["images"])) == ["images/a", "images/b", "images/new/deep"]


def test_a_project_below_the_top_of_its_repository_has_names_of_its_own(checkout: Checkout) -> None:
    checkout.commit(below__images__a="1", images__a="1")
    checkout.write("below/images/b", "1")
    checkout.write("images/b", "1")
    below = checkout.root / "below"
    assert [commit.names for commit in git.commits(below, ["images"])] == [("images/a",)]
    assert git.changed(below, ["images"]) == ("images/b",)
    assert list(git.tracked(below, ["images"])) == ["images/a"]


def test_a_users_settings_change_nothing_that_is_listed(checkout: Checkout) -> None:
    first = checkout.commit(a="1")
    for name in ("log.showRoot", "status.relativePaths", "diff.relative"):
        checkout.git("config", name, "false")
    checkout.git("config", "status.showUntrackedFiles", "no")
    checkout.git("config", "log.showSignature", "true")
    checkout.write("new", "1")
    assert list(git.commits(checkout.root, ["a"])) == [Commit(first, EPOCH, ("a",))]
    assert git.changed(checkout.root, ["new"]) == ("new",)


def test_git_names_the_paths_it_ignores(checkout: Checkout) -> None:
    checkout.commit(**{".gitignore": "*.log\n", "a": "1"})
    assert git.ignored(checkout.root, ["a", "b.log"]) == {"b.log"}
    assert git.ignored(checkout.root, []) == frozenset()


def test_looking_does_not_write_to_the_repository(checkout: Checkout) -> None:
    checkout.commit(a="1")
    (checkout.root / "a").touch()
    index = checkout.root / ".git" / "index"
    before = index.stat().st_mtime_ns, index.read_bytes()
    git.head(checkout.root)
    git.changed(checkout.root, ["a"])
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
