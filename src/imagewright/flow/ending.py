"""How a verb ends: every foreseen failure becomes one error with its exit code, whatever layer it came from."""

from __future__ import annotations

import contextlib
import errno
import signal
from collections.abc import Iterator
from types import FrameType

from imagewright.errors import ImagewrightError, Interrupted, ToolFailed, disk_full

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def foreseen() -> Iterator[None]:
    """Turn an interrupt, SIGTERM included, and failures of the file system into this program's own errors."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("interrupted", hint="run the same again; what was finished is kept") from None
    except ImagewrightError:
        raise
    except OSError as error:
        why = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        if error.errno in _NO_ROOM:
            raise disk_full(why) from error
        raise ToolFailed("a file cannot be read or written", why=why, hint="check that path") from error
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
