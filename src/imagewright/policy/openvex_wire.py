"""OpenVEX documents as they are written: https://github.com/openvex/spec. What other tools add is passed over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from imagewright.purl import SCHEME


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


class Component(_Wire):
    """What a statement is about, as others name it."""

    id: str = Field("", alias="@id")
    identifiers: Mapping[str, str] = {}
    hashes: Mapping[str, str] = {}

    @property
    def purl(self) -> str:
        """Its package URL, empty when it has none."""
        return self.identifiers.get("purl") or (self.id if self.id.startswith(SCHEME) else "")


class Product(Component):
    """A product, with what of it is meant."""

    subcomponents: tuple[Component, ...] = ()


class Vulnerability(_Wire):
    """A vulnerability with its other names."""

    name: Filled
    aliases: tuple[str, ...] = ()


class Statement(_Wire):
    """One statement, before it is known to make sense."""

    vulnerability: Vulnerability
    products: tuple[Product, ...] = ()
    status: str
    timestamp: Moment = ""
    justification: str = ""
    impact_statement: str = ""
    status_notes: str = ""


class Document(_Wire):
    """A whole document."""

    context: str = Field(alias="@context")
    author: Filled
    timestamp: Moment
    statements: tuple[Statement, ...] = Field(min_length=1)
