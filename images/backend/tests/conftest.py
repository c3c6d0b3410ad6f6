"""A migrated database, an application on it, and callers with and without a token."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.database import connect
from app.main import create_app
from app.migrate import migrate
from app.settings import Settings

SECRET = "a secret of the tests, long enough to be taken"
ORIGIN = "https://todo.example.org"

Headers = dict[str, str]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(
        {
            "DATABASE_URL": f"sqlite:///{tmp_path}/todo.db",
            "AUTH_SECRET": SECRET,
            "CORS_ORIGINS": ORIGIN,
        }
    )


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = connect(settings.database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def client(settings: Settings, engine: Engine) -> Iterator[TestClient]:
    migrate(engine)
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def token() -> Callable[..., Headers]:
    def make(user: str = "ada", secret: str = SECRET, lifetime: int = 60) -> Headers:
        expiry = datetime.now(UTC) + timedelta(seconds=lifetime)
        return {
            "Authorization": "Bearer "
            + jwt.encode({"sub": user, "exp": expiry}, secret, algorithm="HS256")
        }

    return make


@pytest.fixture
def ada(client: TestClient, token: Callable[..., Headers]) -> TestClient:
    client.headers.update(token("ada"))
    return client
