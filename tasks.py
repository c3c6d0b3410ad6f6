"""The verbs: arguments → one flow function → exit code. `./inv --list` explains each."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from imagewright.errors import ImagewrightError

if TYPE_CHECKING:
    from imagewright.flow.workspace import Workspace

ROOT = Path(__file__).resolve().parent
IMAGE = {"image": "an image's name, as often as wanted; all images when left out"}
AGAINST = {"against": "what to compare with, a digest or reference, as often as wanted; the last release when left out"}
PROFILE = {"profile": "local, ci or release; what blocks (policies/profiles.toml)"}

Verb = TypeVar("Verb", bound=Callable[..., None])


def _opened(profile: str = "", *, sweep: bool = True) -> AbstractContextManager[Workspace]:
    from imagewright.flow.workspace import opened

    return opened(ROOT, sys.stderr, profile=profile, sweep=sweep)


def _looked_at(profile: str = "") -> Workspace:
    from imagewright.flow.workspace import looked_at

    return looked_at(ROOT, sys.stderr, profile=profile)


def _verb(function: Verb) -> Verb:
    """Turn this program's errors into their message and exit code; anything else is a bug and shows its trace."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        from imagewright.flow.ending import foreseen

        try:
            with foreseen():
                function(*args, **kwargs)
        except ImagewrightError as error:
            raise Exit(f"error: {error}", error.exit_code) from None

    return wrapped  # type: ignore[return-value] # the wrapper keeps the signature; mypy cannot see it


@task(
    help={
        **IMAGE,
        "plan": "say what would be done and why, and do nothing",
        "json": "print the plan as a bake file, and do nothing",
        "cache": "reuse cached steps",
        "verify": "build once more from nothing and compare byte for byte",
    },
    iterable=["image"],
)
@_verb
def build(
    _context: Context,
    image: list[str],
    plan: bool = False,
    json: bool = False,
    cache: bool = True,
    verify: bool = False,
) -> None:
    """Lint and build images and what they need, into out/store."""
    from imagewright.flow import build as flow

    if plan or json:
        from imagewright.flow import why as forecast

        print((flow.describe if json else forecast.plan)(_looked_at(), tuple(image)))
        return
    with _opened() as workspace:
        if verify:
            from imagewright.flow.verify_build import verify_build

            verify_build(workspace, tuple(image), no_cache=not cache)
        else:
            flow.build(workspace, tuple(image), no_cache=not cache, scan_ahead="scan" in sys.argv)


@task(help={**IMAGE, **PROFILE}, iterable=["image"])
@_verb
def why(_context: Context, image: list[str], profile: str = "") -> None:
    """Say which steps would be reused, which not, and which input changed."""
    from imagewright.flow.why import explain

    print(explain(_looked_at(profile), tuple(image)))


@task(help=IMAGE, iterable=["image"])
@_verb
def lint(_context: Context, image: list[str]) -> None:
    """Check Dockerfiles with hadolint and print its findings."""
    from imagewright.flow.lint import lint as run

    with _opened() as workspace:
        for found in run(workspace, workspace.named(tuple(image))).values():
            for item in found.record.findings:
                print(f"{item.file}:{item.line}:{item.column}: {item.level} {item.code} {item.message}")


@task(help={**IMAGE, **PROFILE, **AGAINST}, iterable=["image", "against"])
@_verb
def scan(_context: Context, image: list[str], against: list[str], profile: str = "") -> None:
    """Scan and judge built images; write SBOMs and reports."""
    from imagewright.flow.scan import scan as run

    with _opened(profile) as workspace:
        run(workspace, tuple(image), tuple(against))


@task(help={**IMAGE, **PROFILE, **AGAINST}, iterable=["image", "against"])
@_verb
def judge(_context: Context, image: list[str], against: list[str], profile: str = "") -> None:
    """Judge again with today's rules, waivers and date; no rescan."""
    from imagewright.flow.judgement import judge as run

    with _opened(profile) as workspace:
        run(workspace, tuple(image), tuple(against))


@task(help={**IMAGE, **PROFILE}, iterable=["image"])
@_verb
def audit(_context: Context, image: list[str], profile: str = "") -> None:
    """Scan and judge the last releases with today's database."""
    from imagewright.flow.audit import audit as run

    with _opened(profile) as workspace:
        run(workspace, tuple(image))


@task(help={**IMAGE, **PROFILE, **AGAINST}, iterable=["image", "against"])
@_verb
def push(_context: Context, image: list[str], against: list[str], profile: str = "") -> None:
    """Push images whose verdict passes, all or none."""
    from imagewright.flow.push import push as run

    with _opened(profile) as workspace:
        for line in run(workspace, tuple(image), tuple(against)):
            print(line)


@task(
    help={
        **PROFILE,
        "explain": "the id of a rule to show in full",
        "image": "with --explain: an image whose facts and outcome to show, as often as wanted",
        "test": "run every rule's own examples in policies/fixtures",
    },
    iterable=["image"],
)
@_verb
def policy(_context: Context, image: list[str], explain: str = "", test: bool = False, profile: str = "") -> None:
    """List the rules, explain one, or test them all."""
    from imagewright.flow import policies as flow

    if test:
        print(flow.test(ROOT))
    if explain:
        with _opened(profile) as workspace:
            print(flow.explain(workspace, explain, tuple(image)))
    elif not test:
        print(flow.overview(ROOT))


@task(name="verify-verdict", positional=["digest"], help={"digest": "what follows the @ in what push prints"})
@_verb
def verify_verdict(_context: Context, digest: str) -> None:
    """Make a recorded verdict again, offline, and compare."""
    from imagewright.evidence import Evidence
    from imagewright.flow.verify import verify

    for line in verify(Evidence(ROOT / "out" / "evidence"), digest):
        print(line)


@task
@_verb
def lock(_context: Context) -> None:
    """Look the outside bases up anew; write images/bases.lock."""
    from imagewright.flow.bases import lock as run

    with _opened() as workspace:
        for entry in run(workspace):
            print(f"{entry.name} {entry.digest}")


@task
@_verb
def specs(_context: Context) -> None:
    """Write each spec's tasks.md from what proves it."""
    from imagewright.flow.specs import specs as run

    with _opened() as workspace:
        for line in run(workspace):
            print(line)


@task(help={"dry-run": "only say what would be removed"})
@_verb
def clean(_context: Context, dry_run: bool = False) -> None:
    """Remove what nothing needs any more, with sizes."""
    from imagewright.flow.clean import clean as run

    with _opened(sweep=False) as workspace:
        for line in run(workspace, dry_run=dry_run):
            print(line)


@task
@_verb
def doctor(_context: Context) -> None:
    """Say what this machine has, what is missing, what to do."""
    from imagewright.flow.services import doctor as run

    with _opened() as workspace:
        text, error = run(ROOT, workspace.project.settings)
    print(text)
    if error is not None:
        raise error


@task
@_verb
def down(_context: Context) -> None:
    """Stop the embedded engine and the local registry."""
    from imagewright.flow.services import down as run

    for line in run():
        print(line)


@task(name="test", help={"unit": "only the tests that start no program", "k": "only tests whose name matches"})
@_verb
def check(_context: Context, unit: bool = False, k: str = "") -> None:
    """Run every check; --unit: only tests that start no program."""
    from imagewright.flow.checks import test as run

    run(ROOT, unit=unit, match=k)


@task(
    help={"rounds": "runs of each side in each case", "case": "only cases whose name contains this; nothing is written"}
)
@_verb
def bench(_context: Context, rounds: int = 5, case: str = "") -> None:
    """Measure the pipeline against a script; write bench/results.md."""
    from imagewright.flow.checks import bench as run

    run(ROOT, rounds=rounds, case=case)
