"""The one door to the database: its engine, a session for each request, and whether it answers."""

import ssl
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session, create_engine, text

AWAY = (InterfaceError, OperationalError, PoolTimeout, OSError)
TIMEOUT_SECONDS = 5  # to connect, to be answered, to get a connection out of the pool


def connect(url: URL) -> Engine:
    """Make the engine of a database; nothing is connected before the first use."""
    if url.get_backend_name() == "sqlite":
        return create_engine(url, hide_parameters=True)
    arguments: dict[str, Any] = {"timeout": TIMEOUT_SECONDS}
    if url.query.get("sslmode", "disable") != "disable":
        arguments["ssl_context"] = ssl.create_default_context()
    return create_engine(
        url.set(query={}),
        connect_args=arguments,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=TIMEOUT_SECONDS,
    )


def answers(engine: Engine) -> bool:
    """Whether the database can be asked anything right now."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except AWAY:
        return False
    return True


def reason(error: Exception) -> object:
    """What the driver said, without the statement SQLAlchemy adds to it."""
    return getattr(error, "orig", None) or error


def engine_of(request: Request) -> Engine:
    """The engine of the application that serves this request."""
    engine: Engine = request.app.state.engine
    return engine


def open_session(engine: Annotated[Engine, Depends(engine_of)]) -> Iterator[Session]:
    """One session for one request."""
    with Session(engine) as session:
        yield session


DatabaseEngine = Annotated[Engine, Depends(engine_of)]
DatabaseSession = Annotated[Session, Depends(open_session)]
