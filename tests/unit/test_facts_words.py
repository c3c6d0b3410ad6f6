"""docs/policies.md and docs/facts.schema.json say what the code says. UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]

from imagewright.facts import to_document
from imagewright.facts.words import schema, table
from imagewright.fixtures import check, parse_fixtures
from imagewright.policy.vocabulary import END_OF_LIFE, ITEMS, NAMES, NOW, PROFILE
from imagewright.policyfile import parse_policy
from tests.unit.factory import facts

DOCS = Path(__file__).resolve().parents[2] / "docs"
WORDS = DOCS / "policies.md"
SCHEMA_FILE = DOCS / "facts.schema.json"
HEADING = "## The facts\n\n"


def test_the_page_lists_every_fact_as_the_code_describes_it() -> None:
    prose, heading, _ = WORDS.read_text("utf-8").partition(HEADING)
    current = f"{prose}{heading}{table()}\n"
    if os.environ.get("UPDATE_GOLDEN"):
        WORDS.write_text(current, "utf-8")
    assert WORDS.read_text("utf-8") == current


def test_every_name_a_rule_may_read_is_on_the_page() -> None:
    written = table()
    names = set(NAMES) - {END_OF_LIFE, NOW, PROFILE}
    names |= {
        f"{name}[].{item.removeprefix('item.')}" for name, items in ITEMS.items() for item in items if item != "item"
    }
    assert [name for name in sorted(names) if f"| `{name}` |" not in written] == []


def test_every_fact_has_a_meaning() -> None:
    assert [line for line in table().splitlines() if line.endswith("|  |")] == []


def test_the_schema_in_the_docs_is_that_of_the_code() -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        SCHEMA_FILE.write_text(schema(), "utf-8")
    assert SCHEMA_FILE.read_text("utf-8") == schema(), "UPDATE_GOLDEN=1 writes it anew"


def test_the_schema_takes_a_facts_document_and_refuses_what_is_none() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema()))
    validator.check_schema(validator.schema)
    assert [error.message for error in validator.iter_errors(to_document(facts()))] == []
    for other in ({"schema": "imagewright/facts/v0"}, {"more": 1}, {"packages": {"os": "many", "language": 0}}):
        assert not validator.is_valid({**to_document(facts()), **other})


def test_the_worked_example_does_what_it_says() -> None:
    _, _, after = WORDS.read_text("utf-8").partition("## A worked example\n")
    rule, examples = re.findall(r"^```toml\n(.*?)^```", after.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    policy = parse_policy([("policies/team.toml", rule)])
    assert check(policy, parse_fixtures([("policies/fixtures/team.toml", examples)])) == ()


def test_the_rules_at_the_head_of_the_page_do_what_their_examples_say() -> None:
    asked, told, examples, *_ = re.findall(r"^```toml\n(.*?)^```", WORDS.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    policy = parse_policy([("policies/team.toml", asked), ("policies/told.toml", told)])
    assert [(rule.when != "", rule.elsewhere != "") for rule in policy.rules] == [(True, False), (True, True)]
    assert check(policy, parse_fixtures([("policies/fixtures/team.toml", examples)])) == ()
