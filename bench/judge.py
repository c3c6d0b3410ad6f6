"""How long judging takes: very many findings under all rules of this project, and the recorded images as they are.

    PYTHONPATH=src:. python bench/judge.py [--findings 5000] [--runs 5] [-i backend -i frontend]

The second part needs ``./inv build scan`` before, and is left out without.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.timing import Timing, table, timed
from imagewright.errors import ConfigurationError, ImagewrightError, Problem
from imagewright.flow import cases
from imagewright.flow.workspace import Workspace, opened, policy_files
from imagewright.model.facts import Facts
from imagewright.policy import evaluate
from imagewright.policy.good import changed
from imagewright.policyfile import parse_policy

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ("backend", "frontend")
_SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN")


def crowded(findings: int) -> Facts:
    """A good image's facts with this many vulnerabilities, no two alike."""
    problems: list[Problem] = []
    found = changed({"vulnerabilities": [*map(_vulnerability, range(findings))]}, file="", at="", problems=problems)
    if found is None:
        raise ConfigurationError(problems)
    return found


def _vulnerability(number: int) -> dict[str, Any]:
    name = f"package{number % 700}"
    return {
        "id": f"CVE-2026-{number:05}",
        "severity": _SEVERITIES[number % len(_SEVERITIES)],
        "package": name,
        "version": f"1.{number}",
        "package_class": "os" if number % 3 else "language",
        "type": "debian" if number % 3 else "python-pkg",
        "fixed_version": f"1.{number + 1}" if number % 2 else "",
        "fixable": bool(number % 2),
        "status": "fixed" if number % 2 else "affected",
        "title": "A weakness",
        "purl": f"pkg:deb/debian/{name}@1.{number}",
        "url": f"https://example.org/CVE-2026-{number:05}",
    }


def many_findings(findings: int, runs: int) -> Timing:
    """Judge an image with that many findings under every rule; the rules are read and compiled before."""
    policy, facts, now = parse_policy(policy_files(ROOT)), crowded(findings), datetime.now(UTC)
    name = f"{findings} findings under {len(policy.rules)} rules"
    return timed(name, lambda: evaluate(policy, facts, profile="ci", now=now), runs=runs, goal=1.0)


def recorded(workspace: Workspace, names: tuple[str, ...], runs: int) -> Timing:
    """Read the recorded evidence of these images and judge it, rules read anew each time.

    Raises EvidenceError when one was not built or scanned.
    """

    def work() -> None:
        policy = workspace.policy()
        now = datetime.now(UTC)
        for facts in cases.facts_of(workspace, tuple(cases.cases(workspace, names))):
            evaluate(policy, facts, profile="ci", now=now)

    return timed(f"the recorded evidence of {', '.join(names)}", work, runs=runs, goal=0.5)


def main(arguments: Sequence[str]) -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--findings", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("-i", "--image", action="append", help="whose evidence is judged; both applications' if absent")
    chosen = parser.parse_args(arguments)
    timings = [many_findings(chosen.findings, chosen.runs)]
    try:
        with opened(ROOT, sys.stderr) as workspace:
            timings.append(recorded(workspace, tuple(chosen.image or IMAGES), chosen.runs))
    except ImagewrightError as error:
        sys.stderr.write(f"no evidence to judge: {error}\n")
    sys.stdout.write(f"{table(timings)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
