"""What is asked of a registry, what it answers, and how a refusal reads.

Status codes and the JSON error body: https://github.com/opencontainers/distribution-spec (1.1, "Error Codes").
No message quotes a URL: upload sessions and redirects carry signatures in theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagewright.errors import RegistryRefused
from imagewright.oci.registry_retry import Temporary, retry_after
from imagewright.oci.verified import Outgoing
from imagewright.reference import Digest

CHUNK = 128 * 1024
"""Bytes that are read or sent at once."""

QUOTE_CHARACTERS = 500
"""How much of a registry's own words an error repeats."""


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """What a request needs to be allowed: actions (``pull``, ``push``) on one repository."""

    repository: str
    actions: tuple[str, ...]

    @classmethod
    def pull(cls, repository: str) -> Scope:
        """The right to read a repository."""
        return cls(repository, ("pull",))

    @classmethod
    def push(cls, repository: str) -> Scope:
        """The right to read and write a repository."""
        return cls(repository, ("pull", "push"))

    def __str__(self) -> str:
        return f"repository:{self.repository}:{','.join(self.actions)}"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``doing`` is its purpose after "to", for errors: ``store blob 0123 in todo/backend``.

    ``target`` is a path, or the address an earlier answer named. ``body`` may be a function that opens
    the content anew, because a request is sent again after a challenge or a redirect. Statuses not in
    ``answers`` are refusals; ``passing`` names statuses that are worth another attempt here.
    """

    method: str
    target: str
    doing: str
    scopes: tuple[Scope, ...]
    answers: tuple[int, ...] = (200,)
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Callable[[], Outgoing] | None = field(default=None, repr=False)
    passing: tuple[int, ...] = ()
    limit: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with its body in memory; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


def refusal(registry: str, request: Request, response: Response, sign_in: str = "") -> RegistryRefused:
    """The error for an answer that refuses; a Temporary one when trying again may help.

    ``sign_in`` says, for a 401, what there was to sign in with.
    """
    status = response.status
    reason = f"HTTP {status}"
    words = quoted(response.body)
    if words:
        reason += f": {words}"
    if status in (408, 429) or status >= 500 or status in request.passing:
        what = f"{registry} {'has too many requests to' if status == 429 else 'could not'} {request.doing}"
        hint = "wait, then run the same command again: it continues where it stopped"
        return Temporary(what, why=reason, hint=hint, after=retry_after(response.headers.get("retry-after", "")))
    if status == 401 and sign_in:
        reason += f"\n{sign_in}"
    what, hint = _explained(registry, request, status)
    return RegistryRefused(what, why=reason, hint=hint)


def _explained(registry: str, request: Request, status: int) -> tuple[str, str]:
    repository = request.scopes[0].repository if request.scopes else ""
    if status == 401:
        return f"{registry} wants a valid sign-in to {request.doing}", f"docker login {registry}"
    if status == 403:
        hint = f"docker login {registry} with an account that has the right to {request.doing}"
        return f"{registry} does not allow this account to {request.doing}", hint
    if status == 404:
        hint = f"check the repository name ({repository}); some registries want it to be created first"
        return f"{registry} does not know what it needs to {request.doing}", hint
    if status == 413:
        hint = "raise the request size limit of the registry, or of the proxy in front of it"
        return f"{registry} says this is too large: cannot {request.doing}", hint
    return f"{registry} refused to {request.doing}", "the reason above is the registry's own; its log may say more"


def quoted(body: bytes) -> str:
    """What a registry says in an error body, on one line, bounded, safe to print on a terminal."""
    text = _from_json(body) or body.decode("utf-8", "replace")
    printable = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(printable.split())
    return line if len(line) <= QUOTE_CHARACTERS else f"{line[:QUOTE_CHARACTERS]}…"


def _from_json(body: bytes) -> str:
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    errors = document.get("errors")
    entries = [entry for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else [document]
    return "; ".join(filter(None, map(_entry, entries)))


def _entry(entry: dict[str, Any]) -> str:
    parts = (entry.get(key) for key in ("code", "message", "error", "error_description", "details"))
    return ": ".join(part for part in parts if isinstance(part, str) and part)


def claimed_digest(registry: str, response: Response) -> Digest | None:
    """The digest an answer claims to be about, None when it claims none; raises RegistryRefused if unreadable."""
    claimed = response.headers.get("docker-content-digest", "")
    try:
        return Digest.parse(claimed) if claimed else None
    except ValueError as error:
        raise RegistryRefused(f"{registry} gave an answer that cannot be read", why=str(error)) from error


def check_digest(registry: str, subject: str, expected: Digest | None, found: Digest | None) -> None:
    """Raise RegistryRefused when both digests are known and differ."""
    if expected is not None and found is not None and expected != found:
        raise RegistryRefused(
            f"{registry} gave another digest for {subject}",
            why=f"expected {expected}\nfound    {found}",
            hint="the registry, or a cache in front of it, is damaged or was tampered with",
        )
