"""The application: middleware, routes, and what happens when it starts and stops."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, status
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse

from app import health, tasks
from app.database import AWAY, connect, reason
from app.settings import Settings

logger = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold the connection pool for as long as the application serves."""
    logger.info("started")
    yield
    app.state.engine.dispose()
    logger.info("stopped")


def database_unavailable(_: Request, error: Exception) -> JSONResponse:
    """A database that is away is nobody's bug: 503, and the caller may try again."""
    logger.error("database unavailable: %s", reason(error))
    return JSONResponse(
        {"detail": "the database is unavailable"}, status.HTTP_503_SERVICE_UNAVAILABLE
    )


def create_app(settings: Settings) -> FastAPI:
    """Put the application together."""
    app = FastAPI(
        title="Todo",
        lifespan=lifespan,
        docs_url="/docs" if settings.development else None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.engine = connect(settings.database_url)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
    )
    for error in AWAY:
        app.add_exception_handler(error, database_unavailable)
    app.include_router(health.router)
    app.include_router(tasks.router)
    return app


def serve() -> FastAPI:
    """What uvicorn calls: the application as the environment describes it."""
    return create_app(Settings.load_or_exit())
