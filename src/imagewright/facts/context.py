"""What an ignore file would let into a build, decided by matching. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from imagewright.facts.files import secret_shape
from imagewright.ignore import Ignore
from imagewright.model.repository import ContextFacts, ContextFile

_ANYWHERE = (".env", ".env.local", "node_modules/x/index.js", ".venv/bin/python", "server.key", "server.pem")
_AT_THE_TOP = (".git/config", "venv/bin/python")
"""Files that stand for what no build should ever see."""
_CREDENTIALS = re.compile(r"_auth|token|password|username", re.IGNORECASE)


def is_worth_reading(path: str) -> bool:
    """Whether only its text tells if a file holds a secret: the configuration of a package manager."""
    return secret_shape(f"/{path}") == "package registry credentials"


def read_context(folder: str, ignore_file: str, ignore: Ignore, files: Mapping[str, str]) -> ContextFacts:
    """The facts of a context: ``files`` are those the ignore file lets in, with their text where it was read.

    What may lie anywhere is tried at the top and in every folder of the top that is let in.
    """
    paths = sorted(files)
    folders = sorted({path.partition("/")[0] for path in paths if "/" in path})
    tried = [*_AT_THE_TOP, *_ANYWHERE, *(f"{one}/{name}" for one in folders for name in _ANYWHERE)]
    return ContextFacts(
        folder=folder,
        ignore_file=ignore_file,
        lets_in=tuple(path for path in tried if not ignore.keeps_out(path)),
        secret_shaped=tuple(
            ContextFile(path, shape)
            for path in paths
            if (shape := secret_shape(f"/{path}")) and not (is_worth_reading(path) and _is_harmless(files[path]))
        ),
    )


def _is_harmless(text: str) -> bool:
    return bool(text) and not _CREDENTIALS.search(text)
