"""What stands beside a type in ``Annotated``: a meaning, and how values are read. Pydantic understands each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema


class Doc:
    """The description of a field: its documentation, in docs/ and in the JSON schema."""

    __slots__ = ("description",)

    def __init__(self, *, description: str) -> None:
        self.description = description

    def __get_pydantic_json_schema__(self, inner: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(inner), "description": self.description}


class Strict:
    """No text that looks like the value, and no number that stands for it: only the type itself."""

    __slots__ = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return {**handler(source), "strict": True}


@dataclass(frozen=True, slots=True)
class Before:
    """A function that a value goes through first; it raises ValueError."""

    function: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self.function, handler(source))


StrictInt = Annotated[int, Strict()]
StrictBool = Annotated[bool, Strict()]
