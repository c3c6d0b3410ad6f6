"""What is loaded while images are built."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from imagewright.flow.ahead import _NEEDED_NEXT


@pytest.mark.parametrize("name", _NEEDED_NEXT)
def test_every_module_that_is_loaded_ahead_is_there(name: str) -> None:
    assert find_spec(name)
