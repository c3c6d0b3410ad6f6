"""doctor and down: what this machine has, and stopping what runs beside a checkout."""

from __future__ import annotations

from pathlib import Path

from imagewright.errors import ToolMissing
from imagewright.model.definition import Settings
from imagewright.tools import embedded, local_registry
from imagewright.tools.doctor import Check, examine

_SIGNS = {"ok": "✓", "warning": "!", "missing": "✗"}


def doctor(root: Path, settings: Settings) -> tuple[str, ToolMissing | None]:
    """What was found, line by line, and the error to end with when something needed is missing."""
    checks = examine(root, settings)
    missing = [check.name for check in checks if check.state == "missing"]
    error = ToolMissing(f"missing: {', '.join(missing)}", hint="the lines marked ✗ say what to do") if missing else None
    return "\n".join(_line(check) for check in checks), error


def down() -> tuple[str, ...]:
    """Stop the embedded engine and the local registry; one line about each."""
    return (
        f"local registry: {'stopped' if local_registry.stop() else 'was not running'}",
        f"embedded engine: {'stopped' if embedded.stop() else 'was not running'}",
    )


def _line(check: Check) -> str:
    hint = f"\n    help: {check.hint}" if check.hint else ""
    found = check.found.replace("\n", f"\n{' ' * 18}")
    return f"{_SIGNS[check.state]} {check.name:<15} {found}{hint}"
