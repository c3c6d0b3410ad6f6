"""With nothing changed nothing is done, and what went missing behind the program's back is noticed and made good."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagewright.filehash import MARGIN_NS
from imagewright.oci.layout import Store
from imagewright.reference import Digest
from imagewright.tools.engine import Engine
from tests.integration.conftest import Ran, SmallProject, copied, new_project
from tests.integration.faulty_registry import Contents, FaultyRegistry

pytestmark = pytest.mark.integration

ALL = ("build", "scan", "push")
HEAVY = ("docker", "pydantic", "jinja2", "rich", "requests", "cel_expr_python", "imagewright.reports.html")
JUDGING = ("imagewright.policy", "imagewright.model.facts", "imagewright.flow.judge", "imagewright.flow.history")
NEVER_FOR_A_LIST = (*HEAVY, "urllib3", "imagewright.schema")


@pytest.fixture(scope="module")
def registry() -> Iterator[FaultyRegistry]:
    """A registry that does what the test wants; each test finds it as it was after the push."""
    with FaultyRegistry() as server:
        yield server


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, engine: Engine, registry: FaultyRegistry) -> SmallProject:
    """Two images, built, scanned and pushed."""
    project = new_project(tmp_path_factory.mktemp("released") / "project", engine)
    project.env["IMAGEWRIGHT_REGISTRY"] = registry.address
    project.image("one")
    project.image("two")
    project.commit()
    ran = project.run(*ALL)
    assert ran.code == 0, ran.err
    return project


@pytest.fixture(scope="module")
def contents(released: SmallProject, registry: FaultyRegistry) -> Contents:
    """What the registry holds of them."""
    return registry.contents()


@pytest.fixture(scope="module")
def judged(released: SmallProject, contents: Contents, tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    """The same, once more: the push made a release, with which the images are compared from then on."""
    project = copied(released, tmp_path_factory.mktemp("judged"))
    assert project.run("scan", "push").code == 0
    return project


@pytest.fixture
def pushed(released: SmallProject, registry: FaultyRegistry, contents: Contents, tmp_path: Path) -> SmallProject:
    """A copy of them as they are after the push."""
    registry.reset(contents)
    return copied(released, tmp_path)


@pytest.fixture
def settled(judged: SmallProject, registry: FaultyRegistry, contents: Contents, tmp_path: Path) -> SmallProject:
    """A copy of them as they are after that."""
    registry.reset(contents)
    return copied(judged, tmp_path)


def subject(project: SmallProject, name: str = "one") -> Digest:
    return Store(project.root / "out/store").image(name).manifests[0][1].digest


def imported(ran: Ran) -> set[str]:
    """The modules of a run with PYTHONPROFILEIMPORTTIME."""
    return set(re.findall(r"^import time: .*\| +(\S+)$", ran.err, re.MULTILINE))


def files(folder: Path) -> dict[Path, tuple[int, int]]:
    """Every file below a folder, with what changes when it is written."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def test_nothing_is_sent_written_or_asked_of_an_engine(pushed: SmallProject, registry: FaultyRegistry) -> None:
    time.sleep(MARGIN_NS / 1e9)  # what changed just now would be read again, and only then remembered
    first, before = pushed.run(*ALL), files(pushed.root / "out")
    registry.seen.clear()
    again = pushed.run(*ALL)
    assert (again.code, again.out) == (0, first.out), again.err
    assert files(pushed.root / "out") == before
    assert {seen.method for seen in registry.seen} == {"HEAD"}
    assert registry.count("HEAD", "/manifests/") == len(registry.manifests)  # by tag, and by digest
    assert " engine " not in again.err


def test_what_only_a_change_needs_is_not_loaded(settled: SmallProject) -> None:
    assert not imported(settled.run("--list", PYTHONPROFILEIMPORTTIME="1")).intersection(NEVER_FOR_A_LIST)
    loaded = imported(settled.run(*ALL, PYTHONPROFILEIMPORTTIME="1"))
    assert "imagewright.flow.judgement" in loaded
    assert not loaded.intersection((*HEAVY, *JUDGING))


def forget_tag(registry: FaultyRegistry) -> None:
    del registry.manifests[next(key for key in registry.manifests if ":" not in key[1])]


def move_tag(registry: FaultyRegistry) -> None:
    registry.manifests["test/one", "main"] = registry.manifests["test/two", "main"]


def forget_root(registry: FaultyRegistry) -> None:
    """The tags lead to it still; what deploys by digest would not find it."""
    del registry.manifests[next(key for key in registry.manifests if ":" in key[1])]


def forget_blob(registry: FaultyRegistry) -> None:
    del registry.blobs[next(iter(registry.blobs))]


def cut_blob(registry: FaultyRegistry) -> None:
    registry.blobs[next(iter(registry.blobs))] = b"short"


def forget_repository(registry: FaultyRegistry) -> None:
    gone = next(iter(registry.manifests))[0]
    for kept in (registry.manifests, registry.blobs):
        for key in [key for key in kept if key[0] == gone]:
            del kept[key]


def forget_all(registry: FaultyRegistry) -> None:
    registry.manifests.clear()
    registry.blobs.clear()


HARM = (forget_tag, move_tag, forget_root, forget_blob, cut_blob, forget_repository, forget_all)


@pytest.mark.parametrize("harm", HARM)
def test_what_the_registry_lost_is_pushed_again(
    pushed: SmallProject, registry: FaultyRegistry, harm: Callable[[FaultyRegistry], None]
) -> None:
    manifests, blobs = dict(registry.manifests), dict(registry.blobs)
    harm(registry)
    assert (registry.manifests, registry.blobs) != (manifests, blobs)
    ran = pushed.run("push")
    assert ran.code == 0, ran.err
    assert (registry.manifests, registry.blobs) == (manifests, blobs)


def test_a_damaged_blob_is_never_sent_to_make_good_a_loss(pushed: SmallProject, registry: FaultyRegistry) -> None:
    store = Store(pushed.root / "out/store")
    layer = store.image("one").manifests[0][1].layers[0]
    data = bytearray(store.blob_path(layer.digest).read_bytes())
    data[100] ^= 1
    store.blob_path(layer.digest).write_bytes(data)
    forget_all(registry)
    ran = pushed.run("push")
    assert (ran.code, ran.out) == (8, ""), ran.err
    assert not registry.manifests
    assert not registry.blobs


def test_another_tag_and_another_registry_are_not_taken_for_done(
    pushed: SmallProject, registry: FaultyRegistry
) -> None:
    pushed.git("tag", "v1.2.3")
    assert pushed.run("push").code == 0
    assert {name for _, name in registry.manifests} >= {"1.2.3", "1.2", "1"}
    with FaultyRegistry() as other:
        assert pushed.run("push", IMAGEWRIGHT_REGISTRY=other.address).code == 0
        assert other.manifests == registry.manifests


def test_a_registry_that_is_away_is_an_error_and_no_success(pushed: SmallProject) -> None:
    with FaultyRegistry() as gone:
        address = gone.address
    ran = pushed.run("push", IMAGEWRIGHT_REGISTRY=address)
    assert (ran.code, ran.out) == (7, ""), ran.err


@pytest.mark.parametrize(
    ("page", "harm"),
    [
        ("one/report.html", "deleted"),
        ("one/report.sarif", "edited"),
        ("index.html", "edited"),
        (".written.json", "edited"),
    ],
)
def test_a_report_that_is_not_as_it_was_written_is_written_again(settled: SmallProject, page: str, harm: str) -> None:
    path = settled.root / "out/reports" / page
    text = path.read_text()
    if harm == "deleted":
        path.unlink()
    else:
        path.write_text(text[:-20])
    before = files(settled.root / "out/reports/two")
    ran = settled.run("scan")
    assert path.read_text() == text
    assert (files(settled.root / "out/reports/two") == before) == (page != ".written.json")
    assert "two @" in ran.err or page == ".written.json"


def test_what_changes_a_verdict_is_judged_and_shown_again(settled: SmallProject) -> None:
    (settled.root / "policies/more.toml").write_text(
        '[[rule]]\nid = "X-1"\ntitle = "t"\nlevel = "must"\nseverity = "low"\n'
        'deny = "true"\nmessage = "never good"\nremedy = "none"\n'
    )
    assert settled.run("push").code == 6, "whether or not anybody scanned in between"
    ran = settled.run("scan")
    assert ran.code == 6
    assert "never good" in ran.err
    assert "never good" in (settled.root / "out/reports/one/report.txt").read_text()
    assert settled.run("push").code == 6


@pytest.mark.parametrize(
    ("record", "harm"),
    [
        *(("lint", "deleted"), ("lint", "edited"), ("facts", "truncated"), ("facts", "edited")),
        *(("verdict", "deleted"), ("verdict", "edited"), ("policy", "truncated")),
    ],
)
def test_a_harmed_record_is_made_again_as_it_was(pushed: SmallProject, record: str, harm: str) -> None:
    path = pushed.root / "out/evidence/sha256" / subject(pushed).hex / f"{record}.json"
    text = path.read_text()
    if harm == "deleted":
        path.unlink()
    else:
        path.write_text(text[: len(text) // 2] if harm == "truncated" else text.replace("0", "1"))
    assert pushed.run(*ALL).code == 0
    made = path.read_text()
    if record == "verdict":  # of another moment
        assert pushed.run("verify-verdict", str(subject(pushed))).code == 0
    else:
        assert made == text


def test_a_change_in_one_image_costs_the_other_nothing(settled: SmallProject, registry: FaultyRegistry) -> None:
    settled.image("one", lets_in=("x",))
    (settled.root / "images/one/x").write_text("1")
    recipe = settled.root / "dockerfiles/one.Dockerfile"
    recipe.write_text(recipe.read_text().replace("echo one", "echo ONE"))
    settled.commit()
    places = [f"out/evidence/sha256/{subject(settled, 'two').hex}", "out/reports/two"]
    before = [files(settled.root / place) for place in places]
    ran = settled.run(*ALL)
    assert ran.code == 0, ran.err
    assert re.findall(r"^✓ two +(\w+) +[\d.]+ s  unchanged", ran.err, re.MULTILINE) == ["lint", "build", "scan"]
    assert "two @" in ran.err
    assert [files(settled.root / place) for place in places] == before
    done = set(re.findall(r"^✓ one +(\w+) +[\d.]+ s  (?!unchanged)", ran.err, re.MULTILINE))
    assert done == {"lint", "build", "scan"}
    sent = {seen.path.split("/")[3] for seen in registry.seen if seen.method == "PUT" and "/blobs/" in seen.path}
    assert sent <= {"one"}
