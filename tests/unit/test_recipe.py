"""The Dockerfile as facts: what it stands on, copies, runs, installs and starts."""

from __future__ import annotations

import pytest

from imagewright.dockerfile import parse
from imagewright.facts.recipe import read_recipe
from imagewright.model.repository import DockerfileFacts, InstallFact
from tests.unit.factory import DOCKERFILE, definition


def recipe(text: str, **changes: object) -> DockerfileFacts:
    return read_recipe(parse(text), definition(**changes))


def install(command: str, before: str = "") -> InstallFact:
    (found,) = recipe(f"FROM debian\n{before}\nRUN {command}\n").installs
    return found


def test_stages_have_names_or_numbers_and_one_of_them_is_the_image() -> None:
    text = "FROM a AS one\nFROM b\nRUN next build\nFROM one AS three\n"
    assert [(stage.name, stage.final, stage.builds) for stage in recipe(text).stages] == [
        *(("one", False, False), ("1", False, True), ("three", True, False)),
    ]
    assert [stage.name for stage in recipe(text, target="one").stages if stage.final] == ["one"]


@pytest.mark.parametrize(
    ("name", "repository", "tag", "pinned"),
    [
        ("debian", "debian", "", False),
        ("docker.io/library/debian:trixie", "debian", "trixie", False),
        ("host:5000/a/b", "host:5000/a/b", "", False),
        ("host:5000/a/b:1@sha256:00", "host:5000/a/b", "1", True),
    ],
)
def test_an_outside_name_is_taken_apart(name: str, repository: str, tag: str, pinned: bool) -> None:
    (found,) = recipe(f"FROM {name}\n").outside
    assert (found.repository, found.tag, found.pinned) == (repository, tag, pinned)


def test_images_of_this_repository_are_not_outside() -> None:
    found = recipe("# syntax=docker/dockerfile:1\n" + DOCKERFILE + "COPY --from=x:1 /a /b\n").outside
    assert [(one.instruction, one.name, one.line) for one in found] == [
        *(("syntax", "docker/dockerfile:1", 1), ("FROM", "debian:trixie-slim", 2), ("COPY", "x:1", 11)),
    ]


def test_variables_are_named_without_their_values() -> None:
    text = 'ARG A=1\nFROM scratch\nARG B\nENV C=$B D="x y" E=${B}\nENV AUTH_SECRET hunter2 or so\n'
    found = recipe(text)
    assert [(one.name, one.literal, one.stage) for one in found.variables] == [
        *(("A", True, ""), ("B", False, "0"), ("C", False, "0"), ("D", True, "0"), ("E", False, "0")),
        ("AUTH_SECRET", True, "0"),
    ]
    assert [one.name for one in found.variables if one.looks_secret] == ["AUTH_SECRET"]
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("line", "exec_form"),
    [
        ('CMD ["a", "b"]', True),
        ("CMD a b", False),
        ("CMD ['a']", False),
        ("ENTRYPOINT []", True),
        ('HEALTHCHECK --interval=5s \\\n  CMD ["a"]', True),
        ("HEALTHCHECK CMD curl x", False),
        ("HEALTHCHECK NONE", True),
    ],
)
def test_a_command_is_in_exec_or_in_shell_form(line: str, exec_form: bool) -> None:
    (found,) = recipe(f"FROM scratch\n{line}\n").commands
    assert (found.exec_form, found.line) == (exec_form, 2)


def test_copies_and_mounts_say_where_from() -> None:
    found = recipe(
        "FROM a AS b\nFROM scratch\n"
        'COPY --chown=1:1 --from=b /x /y /z/\nADD ["a b", "/c"]\n'
        "RUN --mount=type=secret,id=ca --mount=type=cache,target=/c --mount=type=cache,dst=/d <<EOF\nmake\nEOF\n"
    )
    assert [(one.source, one.paths, one.target, one.chown) for one in found.copies] == [
        *(("b", "/x /y", "/z/", "1:1"), ("", "a b", "/c", "")),
    ]
    assert [(one.secrets, one.caches, one.text) for one in found.runs] == [("ca", "/c /d", "<<EOF\nmake")]


def test_the_user_may_come_from_a_stage_below() -> None:
    assert recipe("FROM a AS b\nUSER 1:1\nFROM b\n").user == "1:1"
    assert recipe("FROM a AS b\nUSER 1:1\nFROM a\n").user == ""


@pytest.mark.parametrize(
    ("command", "manager", "locked", "development"),
    [
        ("npm ci", "npm", True, True),
        ("npm -q --foo ci --omit=dev", "npm", True, False),
        ("npm install", "npm", False, True),
        ("NODE_ENV=production npm ci", "npm", True, False),
        ("yarn --frozen-lockfile", "yarn", True, True),
        ("pnpm i --frozen-lockfile --prod", "pnpm", True, False),
        ("pip install --require-hashes -r requirements.txt", "pip", True, False),
        ("python3 -m pip -q install -r requirements-dev.txt", "pip", False, True),
        ("pip install .[dev]", "pip", False, True),
        ("uv sync --locked --no-dev", "uv", True, False),
        ("uv pip install --require-hashes -r x.txt", "uv", True, False),
        ("poetry install --only main", "poetry", True, False),
        ('["npm", "ci"]', "npm", True, True),
        ("<<EOF\nnpm ci\nEOF", "npm", True, True),
    ],
)
def test_an_installation_is_known_by_its_words(command: str, manager: str, locked: bool, development: bool) -> None:
    found = install(command)
    assert (found.manager, found.locked, found.development) == (manager, locked, development)


@pytest.mark.parametrize(
    "command", ["apt-get install -y python3-pip npm", "npm run build", "pip --version", "yarn build"]
)
def test_other_commands_install_nothing(command: str) -> None:
    assert recipe(f"FROM debian\nRUN {command}\n").installs == ()


def test_production_may_be_said_by_the_environment_of_a_stage_below() -> None:
    assert not install("npm ci", "ENV NODE_ENV=production").development
    text = "FROM a AS b\nENV NODE_ENV production\nFROM b\nRUN npm ci\n"
    assert [one.development for one in recipe(text).installs] == [False]


def test_an_installation_feeds_a_build_by_standing_below_it_or_being_copied_from() -> None:
    text = (
        "FROM a AS dev\nRUN npm ci\nFROM a AS prod\nRUN npm ci --omit=dev\n"
        "FROM a AS build\nCOPY --from=dev /m /m\nRUN npm run build\n"
        "FROM a\nCOPY --from=prod /m /m\nCOPY --from=build /o /o\n"
    )
    assert [(one.stage, one.before_build) for one in recipe(text).installs] == [("dev", True), ("prod", False)]
