"""OpenVEX documents → statements. What is used is read strictly, what other tools add is passed over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from imagewright.errors import Problem
from imagewright.model.vex import CONTEXT, JUSTIFICATIONS, STATUSES, Statement, Status, Target, Voucher
from imagewright.purl import SCHEME, Purl
from imagewright.schema import near

if TYPE_CHECKING:  # most projects have no such document
    from imagewright.policy import openvex_wire as wire


def sha256(text: str) -> str:
    """The hash that a voucher must name, of the document's bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_document(text: str, voucher: Voucher, problems: list[Problem]) -> tuple[Statement, ...]:
    """The statements of a document; mistakes go to ``problems``, with its file and the statement's number."""
    from pydantic import ValidationError

    from imagewright.policy import openvex_wire as wire

    file = voucher.file
    try:
        document = wire.Document.model_validate_json(text)
    except ValidationError as error:
        problems += [Problem(file, _path(one["loc"]), str(one["msg"])) for one in error.errors()]
        return ()
    if document.context != CONTEXT:
        problems.append(Problem(file, "@context", f"is {document.context!r}; what can be read is {CONTEXT}"))
        return ()
    found = []
    for number, said in enumerate(document.statements):
        mistakes = [Problem(file, f"statements[{number}].{at}", why) for at, why in _mistakes(said)]
        problems += mistakes
        if not mistakes:
            found.append(_statement(said, document, number, voucher))
    return tuple(found)


def _mistakes(said: wire.Statement) -> Iterator[tuple[str, str]]:
    if said.status not in STATUSES:
        yield "status", f"is {said.status!r}{near(said.status, STATUSES)}"
    if said.justification and said.justification not in JUSTIFICATIONS:
        yield "justification", f"is {said.justification!r}{near(said.justification, JUSTIFICATIONS)}"
    if said.status == "not_affected" and not (said.justification or said.impact_statement):
        yield "justification", "is required of not_affected, or an impact_statement"
    if not said.products:
        yield "products", "is required: what is it about? an image or a package, as package URL"
    for number, product in enumerate(said.products):
        yield from ((f"products[{number}]{at}", why) for at, why in _product_mistakes(product))


def _product_mistakes(product: wire.Product) -> Iterator[tuple[str, str]]:
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


def _is_image(product: wire.Product) -> bool:
    return product.purl.lower().startswith(f"{SCHEME}oci/")


def _statement(said: wire.Statement, document: wire.Document, number: int, voucher: Voucher) -> Statement:
    status: Status = said.status  # type: ignore[assignment]  # one of STATUSES by now
    return Statement(
        file=voucher.file,
        number=number,
        ids=tuple(dict.fromkeys((said.vulnerability.name, *said.vulnerability.aliases))),
        targets=tuple(target for product in said.products for target in _targets(product)),
        status=status,
        at=datetime.fromisoformat(said.timestamp or document.timestamp),
        reason=said.impact_statement or said.status_notes or f"{said.status}, says {document.author}",
        owner=voucher.owner,
        expires=voucher.expires,
        justification=said.justification if said.status == "not_affected" else "",
    )


def _targets(product: wire.Product) -> Iterator[Target]:
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
