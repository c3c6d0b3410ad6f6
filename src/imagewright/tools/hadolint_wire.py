"""hadolint's findings as it writes them: https://github.com/hadolint/hadolint (``--format json``)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Finding(BaseModel):
    """One finding; what a later version adds is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    line: Annotated[int, Field(ge=0)]
    column: Annotated[int, Field(ge=0)]
    level: Literal["error", "warning", "info", "style"]
    code: str
    message: str


FINDINGS = TypeAdapter(tuple[Finding, ...])
