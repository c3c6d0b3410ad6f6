"""The files of ``policies/`` → Policy, checked as far as that goes before anything is judged.

Any TOML file may hold ``[[rule]]``, ``[[waiver]]``, ``[[vex]]``, ``[[profile]]``, ``[[end_of_life]]`` and
``[[remediation]]`` tables; the project's own rules and a team's are the same thing. Expressions are compiled here, so a
mistake in one is found with its place. A ``[[vex]]`` table vouches for an OpenVEX document beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

from imagewright.errors import ConfigurationError, Problem
from imagewright.model.definition import OPENVEX_SUFFIX
from imagewright.model.verdict import EndOfLife, Policy, Profile, Remediation, Rule, Waiver
from imagewright.model.vex import JUSTIFICATIONS, Statement, Voucher
from imagewright.policy import openvex
from imagewright.policy.cel import BadExpression, compile_question
from imagewright.policy.vocabulary import CHECKS, COUNT, END_OF_LIFE, ITEMS, NAMES, NOW, placeholders
from imagewright.policy.waivers import RULE_ID
from imagewright.reference import Digest
from imagewright.schema import load_toml, near, parse

T = TypeVar("T")

SEVERITIES = ("critical", "high", "medium", "low")
LONGEST_REMEDIATION = 3650
_TABLES = ("rule", "waiver", "vex", "profile", "end_of_life", "remediation")
# What a value says of itself that no table may say for it.
_OURS: Mapping[type, tuple[str, ...]] = {Waiver: ("file", "status"), Profile: (), Voucher: ()}
_ID = re.compile(r"[A-Z][A-Z0-9]*-[0-9]+(?:\.[0-9]+)?")


def parse_policy(files: Iterable[tuple[str, str]]) -> Policy:
    """The policy that these files (name and text) make together, in order of their names.

    Raises ConfigurationError with every mistake found: file, dotted path, what is wrong and the near-miss name.
    """
    texts = tuple(sorted(files))
    problems: list[Problem] = []
    documents = {name: text for name, text in texts if name.endswith(OPENVEX_SUFFIX)}
    tables = [(name, _tables(name, text, problems)) for name, text in texts if name not in documents]
    rules = tuple(_each(Rule, "rule", tables, problems))
    waivers = tuple(_each(Waiver, "waiver", tables, problems))
    profiles = tuple(_each(Profile, "profile", tables, problems))
    lifetimes = tuple(_each(EndOfLife, "end_of_life", tables, problems))
    vouchers = tuple(_each(Voucher, "vex", tables, problems))
    remediations = tuple(_each(Remediation, "remediation", tables, problems))
    for (at, rule), earlier in _with_earlier(rules, lambda rule: rule.id):
        problems += _rule_problems(rule, at, earlier)
    for (at, waiver), _ in _with_earlier(waivers, lambda waiver: waiver.id):
        problems += _waiver_problems(waiver, at)
    for (at, profile), earlier in _with_earlier(profiles, lambda profile: profile.name):
        problems += _profile_problems(profile, at, earlier)
    for (at, lifetime), earlier in _with_earlier(lifetimes, lambda lifetime: lifetime.name):
        problems += _lifetime_problems(lifetime, at, earlier)
    for (at, remediation), earlier in _with_earlier(remediations, lambda remediation: remediation.severity):
        problems += _remediation_problems(remediation, at, earlier)
    statements = tuple(_statements(vouchers, documents, problems))
    if not rules and not problems:
        problems.append(Problem("policies", "rule", "there are no rules, so nothing could be judged"))
    if problems:
        raise ConfigurationError(problems)
    return Policy(
        rules=tuple(rule for _, rule in rules),
        waivers=tuple(waiver for _, waiver in waivers),
        profiles=tuple(profile for _, profile in profiles),
        digest=Digest.of(json.dumps(texts).encode()),
        lifetimes=tuple(lifetime for _, lifetime in lifetimes),
        files=texts,
        statements=statements,
        remediations=tuple(remediation for _, remediation in remediations),
    )


Place = tuple[str, str]
"""A file and the dotted path of a table in it."""
Placed = tuple[Place, T]


def _tables(name: str, text: str, problems: list[Problem]) -> Mapping[str, Any]:
    data = load_toml(text, file=name, problems=problems)
    for key in data.keys() - set(_TABLES):
        problems.append(Problem(name, key, f"unknown key{near(key, _TABLES)}"))
    return data


def _each(
    cls: type[T], key: str, tables: list[tuple[str, Mapping[str, Any]]], problems: list[Problem]
) -> Iterator[Placed[T]]:
    """Every table of that name in every file, as a value; mistakes go to ``problems``."""
    for name, data in tables:
        entries = data.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            problems.append(Problem(name, key, f"must be a list of tables: [[{key}]]"))
            continue
        for number, entry in enumerate(entries):
            at = f"{key}[{number}]"
            value = parse(cls, _prepared(cls, entry, name, at, problems), file=name, at=at, problems=problems)
            if value is not None:
                yield (name, at), value


def _prepared(cls: type, entry: Mapping[str, Any], name: str, at: str, problems: list[Problem]) -> dict[str, Any]:
    """The table as the model has it: with the file it stands in, and dates as text."""
    ours = _OURS.get(cls, ("file",))
    problems += [Problem(name, f"{at}.{key}", "unknown key") for key in ours if key in entry]
    dates = {
        key: value.isoformat()
        for key, value in entry.items()
        if isinstance(value, date) and not isinstance(value, datetime)
    }
    return {**entry, **dates, **({"file": name} if "file" in ours else {})}


def _with_earlier(values: Iterable[Placed[T]], name: Any) -> Iterator[tuple[Placed[T], Place | None]]:
    """Each value with the place where its name was used before, if it was."""
    seen: dict[str, Place] = {}
    for at, value in values:
        yield (at, value), seen.get(name(value))
        seen.setdefault(name(value), at)


def _rule_problems(rule: Rule, at: Place, earlier: Place | None) -> Iterator[Problem]:
    file, path = at
    if not _ID.fullmatch(rule.id):
        yield Problem(file, f"{path}.id", f"must look like SEC-001 or SEC-012.2, is {rule.id!r}")
    if rule.id == RULE_ID:
        yield Problem(file, f"{path}.id", f"{RULE_ID} judges the waivers and is built in")
    yield from _duplicate(rule.id, (file, f"{path}.id"), earlier)
    if rule.severity not in SEVERITIES:
        yield Problem(file, f"{path}.severity", f"is {rule.severity!r}{near(rule.severity, SEVERITIES)}")
    for check in rule.requires:
        if check not in CHECKS:
            yield Problem(file, f"{path}.requires", f"no such check: {check!r}{near(check, CHECKS)}")
    yield from _empty(rule, at, ("title",))
    if rule.when:
        yield from _expression_problems(rule.when, "", (file, f"{path}.when"))
    yield from _reported_problems(rule, at) if rule.elsewhere else _asked_problems(rule, at)


def _reported_problems(rule: Rule, at: Place) -> Iterator[Problem]:
    """A rule that says what would check its requirement asks nothing, so it has nothing to say of an answer."""
    file, path = at
    yield from _empty(rule, at, ("elsewhere",))
    for key in ("deny", "each", "show", "message", "remedy", "requires"):
        if getattr(rule, key):
            yield Problem(file, f"{path}.{key}", "must not stand beside elsewhere: nothing is asked of the image")


def _asked_problems(rule: Rule, at: Place) -> Iterator[Problem]:
    file, path = at
    if not rule.deny:
        yield Problem(file, f"{path}.deny", "is required; or elsewhere, for what no image shows: what would check it")
        return
    yield from _empty(rule, at, ("message", "remedy"))
    if rule.each and not rule.show:
        yield Problem(file, f"{path}.show", "is required beside each: how one offending item is shown")
    if rule.each and rule.each not in ITEMS:
        yield Problem(file, f"{path}.each", f"no such list: {rule.each!r}{near(rule.each, list(ITEMS))}")
        return
    yield from _expression_problems(rule.deny, rule.each, (file, f"{path}.deny"))
    yield from _placeholder_problems(rule, at)


def _expression_problems(text: str, each: str, at: Place) -> Iterator[Problem]:
    try:
        compile_question(text, each)
    except BadExpression as error:
        yield Problem(*at, str(error))


def _placeholder_problems(rule: Rule, at: Place) -> Iterator[Problem]:
    facts = [*(NAMES.keys() - {NOW, END_OF_LIFE})]
    known = {"message": [*facts, *([COUNT] if rule.each else ())], "show": [*facts, *ITEMS.get(rule.each, ())]}
    for key, names in known.items():
        for name in placeholders(getattr(rule, key)):
            if name not in names:
                yield Problem(at[0], f"{at[1]}.{key}", f"no such fact: {{{name}}}{near(name, names)}")


def _waiver_problems(waiver: Waiver, at: Place) -> Iterator[Problem]:
    yield from _empty(waiver, at, ("id", "reason", "owner"))
    yield from _date_problems(waiver.expires, at, "expires")
    if waiver.justification and waiver.justification not in JUSTIFICATIONS:
        why = f"is {waiver.justification!r}{near(waiver.justification, JUSTIFICATIONS)}"
        yield Problem(at[0], f"{at[1]}.justification", why)


def _statements(
    vouchers: tuple[Placed[Voucher], ...], documents: Mapping[str, str], problems: list[Problem]
) -> Iterator[Statement]:
    """What the documents say that somebody vouches for; each document needs exactly one who does."""
    for (at, voucher), earlier in _with_earlier(vouchers, lambda voucher: voucher.file):
        found = tuple(_voucher_problems(voucher, at, earlier, documents))
        problems += found
        if not found:
            yield from openvex.read_document(documents[voucher.file], voucher, problems)
    for name in documents.keys() - {voucher.file for _, voucher in vouchers}:
        table = f'file = "{name}", sha256 = "{openvex.sha256(documents[name])}", owner = …, expires = …'
        problems.append(Problem(name, "", f"nobody vouches for it; read it, then write [[vex]] {table}"))


def _voucher_problems(
    voucher: Voucher, at: Place, earlier: Place | None, documents: Mapping[str, str]
) -> Iterator[Problem]:
    file, path = at
    yield from _duplicate(voucher.file, (file, f"{path}.file"), earlier)
    yield from _empty(voucher, at, ("owner",))
    yield from _date_problems(voucher.expires, at, "expires")
    if voucher.file not in documents:
        why = f"there is no {voucher.file!r}; it must be policies/<name>{OPENVEX_SUFFIX}"
        yield Problem(file, f"{path}.file", f"{why}{near(voucher.file, list(documents))}")
        return
    actual = openvex.sha256(documents[voucher.file])
    if voucher.sha256.removeprefix("sha256:") != actual:
        why = f"is {voucher.sha256!r}, {voucher.file} has {actual!r}: read what it says now, then vouch for that"
        yield Problem(file, f"{path}.sha256", why)


def _lifetime_problems(lifetime: EndOfLife, at: Place, earlier: Place | None) -> Iterator[Problem]:
    yield from _duplicate(lifetime.name, (at[0], f"{at[1]}.line"), earlier)
    yield from _empty(lifetime, at, ("runtime", "line"))
    yield from _date_problems(lifetime.ends, at, "ends")


def _remediation_problems(remediation: Remediation, at: Place, earlier: Place | None) -> Iterator[Problem]:
    yield from _duplicate(remediation.severity, (at[0], f"{at[1]}.severity"), earlier)
    if not 0 < remediation.days <= LONGEST_REMEDIATION:
        yield Problem(at[0], f"{at[1]}.days", f"must be 1 to {LONGEST_REMEDIATION} days, is {remediation.days}")


def _date_problems(text: str, at: Place, key: str) -> Iterator[Problem]:
    try:
        known = date.fromisoformat(text).isoformat() == text
    except ValueError:
        known = False
    if not known:
        yield Problem(at[0], f"{at[1]}.{key}", f"must be a date (YYYY-MM-DD), is {text!r}")


def _profile_problems(profile: Profile, at: Place, earlier: Place | None) -> Iterator[Problem]:
    yield from _duplicate(profile.name, (at[0], f"{at[1]}.name"), earlier)
    if "fail" not in profile.blocks:
        yield Problem(at[0], f"{at[1]}.blocks", "must contain 'fail', or nothing would ever be refused")


def _empty(value: object, at: Place, keys: Iterable[str]) -> Iterator[Problem]:
    for key in keys:
        if not getattr(value, key).strip():
            yield Problem(at[0], f"{at[1]}.{key}", "must not be empty")


def _duplicate(name: str, at: Place, earlier: Place | None) -> Iterator[Problem]:
    if earlier:
        yield Problem(at[0], at[1], f"{name} is already used in {earlier[0]}: {earlier[1]}")
