"""docs/policies.md says what the code says. UPDATE_GOLDEN=1 writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

from imagewright.facts.words import table
from imagewright.policy.vocabulary import END_OF_LIFE, ITEMS, NAMES, NOW, PROFILE

WORDS = Path(__file__).resolve().parents[2] / "docs/policies.md"
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
