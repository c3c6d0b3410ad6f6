"""imagewright against the script a team would write instead (bench/naive.sh), side by side on this machine.

    ./inv bench                     all cases, results into bench/results.md
    python -m bench.pipeline --help

Both sides alternate, and take turns in going first; the ratio is taken pair by pair.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cases import CASES, COLD, Case
from bench.lab import ROOT, SIDES, Lab, laboratory
from bench.machine import describe
from bench.measure import Cost, Failed, Spread

_HEAD = """\
# What it costs, against a script

Written by `./inv bench`; the last run. Each case ran on both sides in turn, on one engine, one registry and one
database. The script is [naive.sh](naive.sh): bake, hadolint, one Trivy run an image with its layers cached, SBOMs and
SARIF converted from it, docker push. A ratio is script ÷ imagewright, pair by pair: above 1, imagewright needs less.

- wall: seconds, median (least to most)
- CPU: seconds the whole machine was busy, engine and containers included
- memory: the most that the command and its children held at once, without the engine
"""
_COLD_NOTE = """\
Cold means: no image, no cached step, no record, an empty registry. Engine, Debian base and programs are there on both
sides. A machine that makes its first run fetches those as well: the script cannot.
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """One run of each side."""

    ours: Cost
    theirs: Cost


def measured(lab: Lab, case: Case, rounds: int) -> tuple[Pair, ...]:
    """Both sides of a case, ``rounds`` times, taking turns in going first; pairs that broke are left out."""
    pairs = []
    for number in range(rounds):
        costs = {}
        try:
            for side in SIDES if number % 2 == 0 else tuple(reversed(SIDES)):
                case.prepare(lab, side)
                costs[side] = case.run(lab, side)
        except Failed as error:  # a network that is away for a moment spoils this pair, and no other
            print(f"{case.name}: a pair is left out\n{error}", flush=True)
            continue
        pairs.append(Pair(costs["imagewright"], costs["script"]))
        print(f"{case.name}: {pairs[-1].ours.wall:.2f} s, {case.against} {pairs[-1].theirs.wall:.2f} s", flush=True)
    return tuple(pairs)


def table(results: Iterable[tuple[Case, tuple[Pair, ...]]]) -> str:
    """The results as a Markdown table, a row for each case and figure."""
    lines = ["| case | figure | imagewright | other side | ratio |", "|---|---|---|---|---|"]
    for case, pairs in results:
        if not pairs:
            continue
        name = case.name if case.against == "script" else f"{case.name} alone"
        for figure, unit, places in (("wall", 1.0, 2), ("cpu", 1.0, 2), ("memory", 1e6, 0)):
            ours, theirs = ([getattr(cost, figure) / unit for cost in side] for side in _sides(pairs))
            ratios = [there / here for here, there in zip(ours, theirs, strict=True) if here]
            word = {"wall": "wall, s", "cpu": "CPU, s", "memory": "memory, MB"}[figure]
            cells = (
                name if figure == "wall" else "",
                word,
                _cell(ours, places),
                _cell(theirs, places),
                _cell(ratios, 2),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _sides(pairs: Sequence[Pair]) -> tuple[list[Cost], list[Cost]]:
    return [pair.ours for pair in pairs], [pair.theirs for pair in pairs]


def _cell(values: Sequence[float], places: int) -> str:
    if not values:
        return "–"
    spread = Spread.of(values)
    return f"{spread.median:.{places}f} ({spread.least:.{places}f}–{spread.most:.{places}f})"


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each side in each case")
    parser.add_argument("--cold-rounds", type=int, default=3, help="runs from nothing, which take minutes; 0: none")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--output", type=Path, default=ROOT / "bench/results.md")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imagewright-bench-") as folder, laboratory(Path(folder)) as lab:
        lab.warm_up()
        plan = [*((case, chosen.rounds) for case in CASES), *((case, chosen.cold_rounds) for case in COLD)]
        results = [(case, measured(lab, case, rounds)) for case, rounds in plan if rounds and chosen.case in case.name]
        text = f"{_HEAD}\n{table(results)}\n\n{_COLD_NOTE}\n{describe(lab.engine)}"
    print(text)
    if not chosen.case:
        chosen.output.write_text(text, "utf-8")
        print(f"written to {chosen.output}", file=sys.stderr)


if __name__ == "__main__":
    main()
