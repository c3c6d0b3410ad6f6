"""Runs verbs as the command line does, each run in a fork of a process that has the program loaded already.

For tests that run them a hundred times: nothing is shared between two runs but what is on disk.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path

from tests.integration.conftest import Ran, SmallProject

LOADED = ("invoke.main", "imagewright.flow.build", "imagewright.flow.scan", "imagewright.flow.push")
_SECONDS = 300
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([*LOADED, __name__])


def run(project: SmallProject, *words: str, **more: str) -> Ran:
    """Run verbs to their end; ``more`` are further environment variables."""
    files = [project.root.parent / name for name in ("stdout", "stderr")]
    child = _context.Process(target=_run, args=(words, project.root, project.environment(more), files))
    child.start()
    child.join(_SECONDS)
    assert child.exitcode is not None, "it does not end"
    return Ran(child.exitcode, *(file.read_text() for file in files))


def _run(words: tuple[str, ...], root: Path, environ: dict[str, str], files: list[Path]) -> None:
    from invoke.main import program

    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(root)
    os.environ.clear()
    os.environ.update(environ)
    sys.path.insert(0, str(root))
    for descriptor, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.argv = ["inv", *words]
    program.run(sys.argv)
