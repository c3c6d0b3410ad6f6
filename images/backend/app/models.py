"""A task: as it is stored, as it is sent in, as it is given back."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from sqlalchemy import DateTime
from sqlmodel import Field, SQLModel


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC; SQLite forgets the zone that everything is stored in."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def without_nul(text: str) -> str:
    """The text itself: PostgreSQL has no NUL character to store."""
    if "\0" in text:
        raise ValueError("must not contain NUL characters")
    return text


Moment = Annotated[datetime, AfterValidator(in_utc)]
Text = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(without_nul)]


class Task(SQLModel, table=True):
    """One row of the `task` table; `app.migrate` creates it."""

    id: int | None = Field(default=None, primary_key=True)
    user_id: str = Field(index=True)
    title: str
    description: str = ""
    completed: bool = False
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class TaskInput(SQLModel):
    """What a user may say about a task."""

    title: Text = Field(min_length=1, max_length=200)
    description: Text = Field(default="", max_length=1000)


class TaskOutput(SQLModel):
    """What a user gets to see of a task."""

    id: int
    user_id: str
    title: str
    description: str
    completed: bool
    created_at: Moment
    updated_at: Moment
