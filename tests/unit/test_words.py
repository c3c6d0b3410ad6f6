"""The words stay true: what README, docs and the workflow name is what the program has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
import tomli
from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.parser import Parser
from invoke.program import Program

import tasks
from imagewright import errors
from imagewright.model.definition import ProfileName, Settings

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
OPERATIONS = ROOT / "docs" / "operations.md"
WORKFLOW = ROOT / ".github" / "workflows" / "images.yml"
WORDS = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("specs/**/*.md"))]

VERBS = Collection.from_module(tasks)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands(text: str) -> Iterator[str]:
    """Every `./inv …` of a text, up to where the shell or the sentence around it goes on."""
    for found in re.findall(r"\./inv\b([^`\n|;&>#:,()…]*)", text):
        yield found.strip().rstrip(".\"' ")


def commands_in(path: Path) -> list[str]:
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        fenced = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
        return [command for span in (*fenced, *inline) for command in commands(span)]
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [command for line in lines for command in commands(line)]


def parse(command: str) -> list[tuple[str, dict[str, object]]]:
    """The tasks a command line names, with their flags; raises ParseError as `./inv` would."""
    parser = Parser(contexts=VERBS.to_contexts(), initial=Program().initial_context)
    _, *tasks_ = parser.parse_argv(shlex.split(command))
    return [(str(context.name), {key: arg.value for key, arg in context.args.items()}) for context in tasks_]


@pytest.mark.parametrize("path", [*WORDS, WORKFLOW], ids=name_of)
def test_every_command_named_is_a_task_with_those_flags(path: Path) -> None:
    for command in commands_in(path):
        for verb, flags in parse(command):
            assert verb in VERBS.task_names, command
            assert flags.get("profile") in (None, "", *get_args(ProfileName)), command


def test_commands_are_found_where_they_are_written() -> None:
    assert "build scan push" in commands_in(README)
    assert {"build", "scan", "push"} <= set(commands_in(WORKFLOW))
    assert "down" in commands_in(OPERATIONS)


def test_a_command_that_is_none_would_be_noticed() -> None:
    with pytest.raises(ParseError, match="biuld"):
        parse("biuld")
    with pytest.raises(ParseError, match="--plann"):
        parse("build --plann")


def test_the_readme_has_every_verb_in_its_table() -> None:
    table = re.findall(r"^\| `\./inv ([\w-]+)(?: [A-Z]+)?`", README.read_text("utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(VERBS.task_names)


def test_the_readme_names_every_flag() -> None:
    text = README.read_text("utf-8")
    for context in VERBS.to_contexts():
        positional = {f"--{argument.name}" for argument in context.positional_args}
        for flag in context.flags.keys() - positional:
            short_or_negated = {flag, f"--no-{flag.lstrip('-')}", f"-{flag.lstrip('-')[0]}"}
            assert any(re.search(rf"`{re.escape(form)}[` ]", text) for form in short_or_negated), flag


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 150


def test_the_readme_says_how_to_run_the_tests_in_a_block_of_its_own() -> None:
    assert "\n```sh\n./inv test\n```\n" in README.read_text("utf-8")


@pytest.mark.parametrize("verb", sorted(VERBS.task_names))
def test_each_verb_is_explained_in_one_line(verb: str) -> None:
    first = (VERBS[verb].__doc__ or "").strip().splitlines()[0]
    assert first.endswith(".")
    assert len(first) <= 79


def exit_codes() -> dict[int, tuple[str, str]]:
    """Class and meaning by exit code, from the tree drawn in errors.py, which must be that of the classes."""
    drawn = re.findall(r"(\w+) +(\d+) {2,}(.+)", errors.__doc__ or "")
    found = {int(code): (name, meaning) for name, code, meaning in drawn}
    classes = {value for value in vars(errors).values() if isinstance(value, type) and hasattr(value, "exit_code")}
    assert {code: name for code, (name, _) in found.items()} == {one.exit_code: one.__name__ for one in classes}
    return found


def test_every_exit_code_is_documented_with_its_meaning_and_the_next_step() -> None:
    rows = re.findall(r"^\| (\d+) \|([^|]*)\|([^|]*)\|([^|]*)\|$", OPERATIONS.read_text("utf-8"), re.MULTILINE)
    documented = {int(code): (name.strip(" `"), meaning.strip()) for code, name, meaning, _ in rows}
    assert documented.pop(0) == ("", "all went well")
    assert documented == exit_codes()
    assert all(step.strip() for code, *_, step in rows if code != "0")


def variables() -> set[str]:
    """The environment variables the source reads: those it spells out, and one for each setting."""
    sources = [*(ROOT / "src").rglob("*.py"), ROOT / "tasks.py"]
    spelled = {name for path in sources for name in re.findall(r"IMAGEWRIGHT_[A-Z_]+[A-Z]", path.read_text("utf-8"))}
    return spelled | {
        f"IMAGEWRIGHT_{field.name.upper()}" for field in fields(Settings) if field.name not in ("scan", "feeds")
    }


def test_exactly_the_environment_variables_that_are_read_are_documented() -> None:
    assert set(re.findall(r"IMAGEWRIGHT_[A-Z_]+[A-Z]", OPERATIONS.read_text("utf-8"))) == variables()


def test_the_workflow_sets_only_variables_that_are_read() -> None:
    assert set(re.findall(r"^ +(IMAGEWRIGHT_\w+):", WORKFLOW.read_text("utf-8"), re.MULTILINE)) <= variables()


@pytest.mark.parametrize("path", WORDS, ids=name_of)
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).is_file()] == []


def examples() -> dict[str, str]:
    """The TOML examples of the README by their first key or table."""
    blocks = re.findall(r"^```toml\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return {next(iter(tomli.loads(block))): block for block in blocks}


def test_the_image_and_the_base_in_the_readme_are_sound(tmp_path: Path) -> None:
    from imagewright import config

    shown = examples()
    base_python = (
        'name = "base-python"\ntitle = "Python"\nrepository = "shop/base-python"\n[run]\nuser = "65532:65532"\n'
    )
    for name, text in (("worker", shown["name"]), ("base-python", base_python)):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        (folder / "image.toml").write_text(text, "utf-8")
        (tmp_path / "dockerfiles").mkdir(exist_ok=True)
        (tmp_path / "dockerfiles" / f"{name}.Dockerfile").write_text("FROM scratch\n", "utf-8")
    (tmp_path / "images" / "bases.toml").write_text(shown["base"], "utf-8")
    project = config.load(tmp_path, {})
    assert [image.name for image in project.images] == ["base-python", "worker"]
    assert project.image("worker").needs == ("base-python",)
    assert [base.name for base in project.bases] == ["debian:trixie-slim"]


def test_the_rule_and_the_waiver_in_the_readme_are_sound() -> None:
    from imagewright.policyfile import parse_policy

    shown = examples()
    policy = parse_policy([("policies/rule.toml", shown["rule"]), ("policies/waiver.toml", shown["waiver"])])
    assert [rule.id for rule in policy.rules] == ["SHOP-001"]
    assert [waiver.image for waiver in policy.waivers] == ["worker"]
