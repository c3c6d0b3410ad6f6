"""OpenVEX documents → statements. What is used is read strictly, what other tools add is passed over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from imagewright.errors import Problem
from imagewright.model.vex import CONTEXT, JUSTIFICATIONS, STATUSES, Statement, Status, Target, Voucher
from imagewright.purl import SCHEME, Purl
from imagewright.schema import near

SUFFIX = ".openvex.json"


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("it has no time zone")
    return text


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


Moment = Annotated[str, AfterValidator(_moment)]
Filled = Annotated[str, AfterValidator(_filled)]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Component(_Wire):
    id: str = Field("", alias="@id")
    identifiers: Mapping[str, str] = {}
    hashes: Mapping[str, str] = {}

    @property
    def purl(self) -> str:
        return self.identifiers.get("purl") or (self.id if self.id.startswith(SCHEME) else "")


class _Product(_Component):
    subcomponents: tuple[_Component, ...] = ()


class _Vulnerability(_Wire):
    name: Filled
    aliases: tuple[str, ...] = ()


class _Statement(_Wire):
    vulnerability: _Vulnerability
    products: tuple[_Product, ...] = ()
    status: str
    timestamp: Moment = ""
    justification: str = ""
    impact_statement: str = ""
    status_notes: str = ""


class _Document(_Wire):
    context: str = Field(alias="@context")
    author: Filled
    timestamp: Moment
    statements: tuple[_Statement, ...] = Field(min_length=1)


def sha256(text: str) -> str:
    """The hash that a voucher must name, of the document's bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_document(text: str, voucher: Voucher, problems: list[Problem]) -> tuple[Statement, ...]:
    """The statements of a document; mistakes go to ``problems``, with its file and the statement's number."""
    file = voucher.file
    try:
        document = _Document.model_validate_json(text)
    except ValidationError as error:
        problems += [Problem(file, _path(one["loc"]), str(one["msg"])) for one in error.errors()]
        return ()
    if document.context != CONTEXT:
        problems.append(Problem(file, "@context", f"is {document.context!r}; what can be read is {CONTEXT}"))
        return ()
    found = []
    for number, wire in enumerate(document.statements):
        mistakes = [Problem(file, f"statements[{number}].{at}", why) for at, why in _mistakes(wire)]
        problems += mistakes
        if not mistakes:
            found.append(_statement(wire, document, number, voucher))
    return tuple(found)


def _mistakes(wire: _Statement) -> Iterator[tuple[str, str]]:
    if wire.status not in STATUSES:
        yield "status", f"is {wire.status!r}{near(wire.status, STATUSES)}"
    if wire.justification and wire.justification not in JUSTIFICATIONS:
        yield "justification", f"is {wire.justification!r}{near(wire.justification, JUSTIFICATIONS)}"
    if wire.status == "not_affected" and not (wire.justification or wire.impact_statement):
        yield "justification", "is required of not_affected, or an impact_statement"
    if not wire.products:
        yield "products", "is required: what is it about? an image or a package, as package URL"
    for number, product in enumerate(wire.products):
        yield from ((f"products[{number}]{at}", why) for at, why in _product_mistakes(product))


def _product_mistakes(product: _Product) -> Iterator[tuple[str, str]]:
    components = (
        ("", product),
        *((f".subcomponents[{number}]", part) for number, part in enumerate(product.subcomponents)),
    )
    for at, component in components:
        try:
            Purl.parse(component.purl)
        except ValueError as error:
            why = str(error) if component.purl else "it has no package URL"
            yield at, f"{why}; write it as @id or identifiers.purl"
    if product.subcomponents and not _is_image(product):
        why = "only an image (pkg:oci/…) can have subcomponents: which package came with which is not known"
        yield ".subcomponents", why


def _is_image(product: _Product) -> bool:
    return product.purl.lower().startswith(f"{SCHEME}oci/")


def _statement(wire: _Statement, document: _Document, number: int, voucher: Voucher) -> Statement:
    status: Status = wire.status  # type: ignore[assignment]  # one of STATUSES by now
    return Statement(
        file=voucher.file,
        number=number,
        ids=tuple(dict.fromkeys((wire.vulnerability.name, *wire.vulnerability.aliases))),
        targets=tuple(target for product in wire.products for target in _targets(product)),
        status=status,
        at=datetime.fromisoformat(wire.timestamp or document.timestamp),
        reason=wire.impact_statement or wire.status_notes or f"{wire.status}, says {document.author}",
        owner=voucher.owner,
        expires=voucher.expires,
        justification=wire.justification if wire.status == "not_affected" else "",
    )


def _targets(product: _Product) -> Iterator[Target]:
    if not _is_image(product):
        yield Target(package=product.purl)
        return
    version, hashed = Purl.parse(product.purl).version, product.hashes.get("sha-256", "")
    digests = (version, f"sha256:{hashed}" if hashed else "")
    named = tuple(dict.fromkeys(digest.lower() for digest in digests if digest))
    for package in [part.purl for part in product.subcomponents] or [""]:
        yield Target(product.purl, package, named)


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
