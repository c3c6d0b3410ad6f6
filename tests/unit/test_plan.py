"""Planning is pure: the order of work, the outside names of a Dockerfile, the labels, and the bake file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright import plan
from imagewright.errors import ConfigurationError, NothingSelected
from imagewright.model.definition import BaseDefinition, ImageDefinition, Project, RunContract, Settings
from imagewright.model.records import Source, UsedBase
from imagewright.plan import Context, Target
from imagewright.reference import Digest, Platform

ROOT = Path("/repository")
HEX = "ab" * 32
DEBIAN = "debian:trixie-slim"


def image(name: str, *needs: str, **more: Any) -> ImageDefinition:
    return ImageDefinition(
        name=name,
        title=name.title(),
        description="",
        repository=f"todo/{name}",
        licenses="",
        file=f"images/{name}/image.toml",
        dockerfile=f"dockerfiles/{name}.Dockerfile",
        context=f"images/{name}",
        run=RunContract("1:1"),
        needs=needs,
        **more,
    )


def project(*images: ImageDefinition, bases: tuple[str, ...] = ()) -> Project:
    return Project(ROOT, Settings(), images, tuple(BaseDefinition(name, "bootstrap") for name in bases))


def names(*images: ImageDefinition) -> list[str]:
    return [item.name for item in images]


# Which images, and in which order


TODO = project(
    image("backend", "base-python"), image("base-node"), image("base-python"), image("frontend", "base-node")
)


def test_all_images_are_selected_when_none_is_named() -> None:
    assert names(*plan.select(TODO, [])) == ["base-python", "backend", "base-node", "frontend"]


def test_a_named_image_brings_what_it_needs_and_nothing_else() -> None:
    assert names(*plan.select(TODO, ["frontend"])) == ["base-node", "frontend"]


def test_naming_an_image_twice_selects_it_once() -> None:
    assert names(*plan.select(TODO, ["backend", "base-python", "backend"])) == ["base-python", "backend"]


def test_an_unknown_image_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(NothingSelected, match="there is no image 'fronted'; did you mean 'frontend'") as caught:
        plan.select(TODO, ["backend", "fronted"])
    assert caught.value.exit_code == 3


def test_a_repository_without_images_has_nothing_to_select() -> None:
    with pytest.raises(NothingSelected, match="there are no images"):
        plan.select(project(), [])


@st.composite
def graphs(draw: st.DrawFn) -> Project:
    """Any graph without cycles: an image needs only images before it, and the files lie in any order."""
    count = draw(st.integers(1, 8))
    images = [image(f"i{n}", *(f"i{m}" for m in range(n) if draw(st.booleans()))) for n in range(count)]
    return project(*draw(st.permutations(images)))


@given(graphs(), st.data())
def test_any_graph_is_ordered_needs_first_each_image_once(graph: Project, data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.sampled_from(names(*graph.images)), max_size=3))
    ordered = names(*plan.select(graph, wanted))
    assert len(ordered) == len(set(ordered))
    assert set(wanted or names(*graph.images)) <= set(ordered)
    for position, name in enumerate(ordered):
        assert set(graph.image(name).needs) <= set(ordered[:position])


@given(graphs(), st.data())
def test_what_is_left_after_a_failure_needs_nothing_that_is_lost(graph: Project, data: st.DataObject) -> None:
    images = plan.select(graph, [])
    broken = data.draw(st.sets(st.sampled_from(names(*images))))
    lost = plan.dependents(images, broken)
    assert broken <= lost
    for item in images:
        assert (item.name in lost) == (item.name in broken or bool(lost.intersection(item.needs)))


# What a Dockerfile takes from outside


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ("", []),
        ("FROM debian", ["debian"]),
        ("from debian as build\nFROM BUILD", ["debian"]),
        ("FROM scratch", []),
        ("FROM --platform=$BUILDPLATFORM debian:12 AS x", ["debian:12"]),
        ("FROM debian AS a\nFROM a AS b\nFROM b", ["debian"]),
        ("FROM debian AS debian\nFROM debian", ["debian"]),
        ("FROM b AS a\nFROM x AS b", ["b", "x"]),
        (f"FROM debian@sha256:{HEX}", [f"debian@sha256:{HEX}"]),
        ("FROM a\nFROM a", ["a"]),
        ("FROM ${BASE}", ["${BASE}"]),
        ("  FROM debian", ["debian"]),
        ("FROM debian\r\nFROM alpine\r\n", ["debian", "alpine"]),
    ],
)
def test_stages_start_from_outside_names_or_from_each_other(dockerfile: str, expected: list[str]) -> None:
    assert list(plan.outside_names(dockerfile)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("COPY --from=nginx:1 /a /b", ["nginx:1"]),
        ("copy --from=nginx:1 /a /b", ["nginx:1"]),
        ("COPY --chown=1:1 --from=nginx:1 /a /b", ["nginx:1"]),
        ("COPY --from=Build /a /b", []),
        ("COPY --from=0 /a /b", []),
        ("ONBUILD COPY --from=nginx:1 /a /b", ["nginx:1"]),
        ("RUN --mount=type=bind,from=tools,target=/t make", ["tools"]),
        ("RUN --mount=from=tools,target=/t make", ["tools"]),
        ("RUN --mount=type=cache,target=/c --mount=type=bind,target=/t,from=tools make", ["tools"]),
        ("RUN --mount=type=bind,from=a --mount=type=bind,from=b make", ["a", "b"]),
        ("RUN --mount=type=bind,from=build,target=/t make", []),
        ("RUN --mount=type=bind,source=x/from=y,target=/t make", []),
        ("RUN --mount=type=secret,id=ca pip install --from=x", []),
        ("RUN tool --from=x", []),
        ("RUN echo FROM debian", []),
        ("CMD ['--from=x']", []),
        ('LABEL about="COPY --from=x"', []),
    ],
)
@pytest.mark.covers("SEC-005")
def test_files_are_taken_from_stages_and_outside_names_but_not_by_commands(line: str, expected: list[str]) -> None:
    assert list(plan.outside_names(f"FROM scratch AS build\n{line}\n")) == expected


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ("# FROM debian\n  # FROM debian\nFROM scratch", []),
        ("FROM \\\n  debian AS x\nFROM x", ["debian"]),
        ("FROM deb\\\nian", ["debian"]),
        ("FROM debian AS \\\n  # a remark\n\n  x\nFROM x", ["debian"]),
        ("FROM scratch\nCOPY \\\n  --from=nginx \\\n  /a /b", ["nginx"]),
        (
            "FROM scratch\nRUN --mount=type=cache,target=/c \\  \n  --mount=type=bind,from=tools,target=/t \\\n make",
            ["tools"],
        ),
        ("FROM scratch\nRUN a \\\n FROM debian", []),
        ("FROM scratch\nRUN a \\", []),
    ],
)
def test_comments_are_passed_over_and_continued_lines_are_one(dockerfile: str, expected: list[str]) -> None:
    assert list(plan.outside_names(dockerfile)) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("RUN <<EOF\nselect *\nFROM users\nEOF\nFROM debian", ["debian"]),
        ("RUN <<'EOF'\nFROM users\nEOF\nFROM debian", ["debian"]),
        ("RUN <<-EOF\n\tFROM users\n\tEOF\nFROM debian", ["debian"]),
        ("RUN psql <<SQL > /log\nFROM users\nSQL\nFROM debian", ["debian"]),
        ("COPY <<A <<B /x/\nFROM a\nA\nFROM b\nB\nFROM debian", ["debian"]),
        ("COPY --from=nginx <<A /x/\nA", ["nginx"]),
        # No here-document: a shell's shift, a string, and one that never ends.
        ("RUN echo $((1<<3))\nFROM debian", ["debian"]),
        ("RUN cat <<< word\nFROM debian", ["debian"]),
        ("RUN cat <<EOF\nFROM debian", ["debian"]),
    ],
)
def test_a_here_document_is_no_instruction(body: str, expected: list[str]) -> None:
    assert list(plan.outside_names(f"FROM scratch\n{body}\n")) == expected


@given(st.text(alphabet=" \\\n#<-'\"=,EFROMCPYUNfromas01:/$", max_size=80))
def test_any_text_is_read_without_harm(text: str) -> None:
    plan.outside_names(text)


@given(st.lists(st.sampled_from(["debian", "alpine:3", "host.example/a/b@sha256:" + HEX]), max_size=5), st.data())
def test_no_base_is_missed_however_the_lines_are_broken(bases: list[str], data: st.DataObject) -> None:
    space = st.sampled_from([" ", "  ", "\t", " \\\n ", " \\\n# remark\n "])
    keyword = st.sampled_from(["FROM", "from", "From"])
    lines = [f"{data.draw(keyword)}{data.draw(space)}{base}" for base in bases]
    assert plan.outside_names("\n".join(lines)) == tuple(dict.fromkeys(bases))


# Which outside names are allowed


def test_declared_bases_pass_and_needs_are_no_bases() -> None:
    app = image("app", "base-python")
    found = plan.check_bases(app, [DEBIAN, "base-python"], project(app, bases=(DEBIAN, "other")))
    assert found == (DEBIAN,)


@pytest.mark.covers("SEC-004")
def test_every_base_nobody_declared_is_named() -> None:
    app = image("app")
    with pytest.raises(ConfigurationError) as caught:
        plan.check_bases(app, ["nginx", DEBIAN, "redis"], project(app, bases=(DEBIAN,)))
    assert [str(problem) for problem in caught.value.problems] == [
        "dockerfiles/app.Dockerfile: FROM: 'nginx' is neither in needs nor declared in images/bases.toml",
        "dockerfiles/app.Dockerfile: FROM: 'redis' is neither in needs nor declared in images/bases.toml",
    ]
    assert "images/app/image.toml" in caught.value.hint


# Labels and the bake file


def target(
    definition: ImageDefinition, *, dirty: bool = False, bases: tuple[str, ...] = (DEBIAN,), epoch: int = 0
) -> Target:
    source = Source("c" * 40, epoch, dirty, "https://git.example/todo")
    used = (UsedBase(name, "bootstrap", Digest(HEX), None) for name in bases)
    return Target(definition, source, tuple(Context(base, f"oci-layout:///bases@{base.digest}") for base in used))


@pytest.mark.covers("SEC-024")
def test_labels_say_what_when_and_from_which_commit() -> None:
    app = image("app", labels=(("team", "x"),))
    prefix = "org.opencontainers.image"
    assert plan.labels(target(app, epoch=1_700_000_000)) == {
        "team": "x",
        f"{prefix}.title": "App",
        f"{prefix}.revision": "c" * 40,
        f"{prefix}.version": "c" * 12,
        f"{prefix}.created": "2023-11-14T22:13:20Z",
        f"{prefix}.source": "https://git.example/todo",
        f"{prefix}.base.name": DEBIAN,
        f"{prefix}.base.digest": f"sha256:{HEX}",
    }


def test_an_image_of_a_changed_tree_says_so() -> None:
    assert plan.labels(target(image("app"), dirty=True))["org.opencontainers.image.version"] == f"{'c' * 12}-dirty"


def test_an_image_without_a_base_names_none_and_empty_labels_are_left_out() -> None:
    found = plan.labels(target(image("app"), bases=()))
    assert not any(".base." in name for name in found)
    assert all(found.values())
    assert "org.opencontainers.image.description" not in found


def test_a_declared_label_does_not_override_the_pipelines() -> None:
    app = image("app", labels=(("org.opencontainers.image.revision", "mine"),))
    assert plan.labels(target(app))["org.opencontainers.image.revision"] == "c" * 40


def bake(*targets: Target, **more: Any) -> dict[str, Any]:
    outputs = {item.image.name: Path("/out") / item.image.name for item in targets}
    return plan.bake_document(ROOT, targets, outputs, ca_bundle=more.pop("ca_bundle", None), **more)


def test_the_bake_file_holds_every_target_of_the_solve() -> None:
    document = bake(target(image("base")), target(image("app", "base"), bases=()))
    assert document["group"] == {"default": {"targets": ["base", "app"]}}
    assert list(document["target"]) == ["base", "app"]
    assert json.loads(json.dumps(document)) == document


def test_a_bake_target_says_everything_a_build_depends_on() -> None:
    app = image("app", "base", target="final", args=(("A", "1"),), platforms=(Platform("linux", "arm64"),))
    assert bake(target(app, epoch=7))["target"]["app"] == {
        "context": "/repository/images/app",
        "dockerfile": "/repository/dockerfiles/app.Dockerfile",
        "contexts": {DEBIAN: f"oci-layout:///bases@sha256:{HEX}", "base": "target:base"},
        "args": {"A": "1", "SOURCE_DATE_EPOCH": "7"},
        "labels": plan.labels(target(app, epoch=7)),
        "platforms": ["linux/arm64"],
        "output": ["type=oci,dest=/out/app,tar=false,oci-mediatypes=true"],
        "attest": ["type=provenance,disabled=true", "type=sbom,disabled=true"],
        "target": "final",
    }


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("debian:trixie-slim", "debian:trixie-slim"),
        ("debian:latest", "debian"),
        ("docker.io/library/debian:latest", "debian"),
        ("docker.io/tools/uv:1", "tools/uv:1"),
        ("example.org/library/uv:latest", "example.org/library/uv"),
    ],
)
def test_a_context_has_the_name_under_which_it_is_looked_for(written: str, asked: str) -> None:
    assert plan.familiar(written) == asked


def test_an_argument_does_not_override_the_source_date() -> None:
    app = image("app", args=(("SOURCE_DATE_EPOCH", "1"),))
    assert bake(target(app, epoch=7))["target"]["app"]["args"] == {"SOURCE_DATE_EPOCH": "7"}


def test_certificates_go_in_as_a_secret_and_the_cache_can_be_left_out() -> None:
    plain = bake(target(image("app")))["target"]["app"]
    assert "secret" not in plain
    assert "no-cache" not in plain
    app = bake(target(image("app")), ca_bundle=Path("/ca.crt"), no_cache=True)["target"]["app"]
    assert app["secret"] == ["id=ca,src=/ca.crt"]
    assert app["no-cache"] is True
