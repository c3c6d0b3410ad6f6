"""What the file system refuses becomes an error of this program's own."""

from __future__ import annotations

import errno
import os

import pytest

from imagewright.errors import Interrupted, ToolFailed, disk_full
from imagewright.flow.ending import foreseen


def refusal(number: int) -> OSError:
    return OSError(number, os.strerror(number), "out/store/index.json")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_called_one(number: int) -> None:
    with pytest.raises(ToolFailed) as caught, foreseen():
        raise refusal(number)
    assert str(caught.value) == str(disk_full(f"{os.strerror(number)}: out/store/index.json"))


def test_any_other_refusal_names_the_file() -> None:
    with pytest.raises(ToolFailed, match="cannot be read or written") as caught, foreseen():
        raise refusal(errno.EACCES)
    assert caught.value.why == "Permission denied: out/store/index.json"


def test_an_interrupt_is_no_failure_of_a_tool() -> None:
    with pytest.raises(Interrupted), foreseen():
        raise KeyboardInterrupt
