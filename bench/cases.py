"""The cases both pipelines are put through, and how each is prepared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.lab import Lab, Side
from bench.measure import Cost

Prepare = Callable[[Lab, Side], None]
Run = Callable[[Lab, Side], Cost]


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison: ``prepare`` brings a side into the state before, uncounted; ``run`` is what is measured."""

    name: str
    prepare: Prepare
    run: Run
    against: str = "script"


def _everything(lab: Lab, side: Side) -> Cost:
    verbs = ("build", "scan", "push") if side == "imagewright" else ("lint", "build", "scan", "push")
    return lab.run(side, *verbs)


def _push(lab: Lab, side: Side) -> Cost:
    return lab.run(side, "push")


def _build(lab: Lab, side: Side) -> Cost:
    """The pipeline's build, lint included; of the other side the solve alone, into layouts like the pipeline's."""
    return lab.run(side, "build") if side == "imagewright" else lab.bake()


def _or_bake(lab: Lab, side: Side) -> Cost:
    """Everything the pipeline does; of the other side the solve alone, into the engine's own store."""
    return lab.run(side, "build", "scan", "push") if side == "imagewright" else lab.run(side, "build")


def _nothing(lab: Lab, side: Side) -> None:
    """Everything stands as the last run left it."""


def _together(change: Callable[[Lab], None]) -> Prepare:
    """A change of what both sides share."""
    return lambda lab, _: change(lab)


def _line(file: str, line: str) -> Prepare:
    return lambda lab, side: lab.change(side, file, line)


CASES = (
    Case("no-op", _nothing, _everything),
    Case("no-op, against the bare bake", _nothing, _or_bake, "bare bake"),
    Case("one line of the backend", _line("images/backend/app/main.py", 'BENCH = "{}"\n'), _everything),
    Case("one line of the frontend", _line("images/frontend/app/globals.css", ".bench-{} {{ top: 0 }}\n"), _everything),
    Case("the backend's lock file", _line("images/backend/requirements.txt", "# bench {}\n"), _everything),
    Case("a policy", _line("policies/security.toml", "# bench {}\n"), _everything),
    Case("the database", _together(Lab.change_database), _everything),
    Case("first push", _together(Lab.empty_registry), _push),
    Case("push of nothing", _nothing, _push),
)
"""In this order: each leaves both sides built, scanned and pushed."""
COLD = (
    Case("cold", _together(Lab.forget), _everything),
    Case("cold build, against the bare bake", _together(Lab.forget), _build, "bare bake"),
)
"""Each run starts from nothing, so these come last."""
