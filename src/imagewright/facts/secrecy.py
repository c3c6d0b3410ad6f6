"""What looks like a secret: by the name of a variable, or by a value that carries a password."""

from __future__ import annotations

import re

_NAME = re.compile(
    r"(?:.*_)?(?:SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIALS?"
    r"|(?:API|AUTH|ACCESS|PRIVATE|SECRET|SIGNING|ENCRYPTION)_?KEY)(?:_[A-Z0-9]{1,3})?",
    re.IGNORECASE,
)
_VALUE = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@.*")  # a URL with a password


def is_secret_name(name: str) -> bool:
    """Whether a variable of that name is meant to hold a secret."""
    return bool(_NAME.fullmatch(name))


def is_secret(name: str, value: str) -> bool:
    """Whether there is a value, and its name or itself looks secret."""
    return bool(value) and (is_secret_name(name) or bool(_VALUE.fullmatch(value)))
