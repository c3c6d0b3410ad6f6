"""Health, origins, logs and migrations: what an operator depends on."""

import json
import logging
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, inspect
from sqlmodel import SQLModel

from app.logs import JsonFormatter
from app.main import create_app
from app.migrate import MIGRATIONS, migrate
from app.settings import Settings
from tests.conftest import ORIGIN, SECRET


def test_a_served_application_is_alive_and_ready(client: TestClient) -> None:
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").status_code == 200


@pytest.mark.parametrize("url", ["sqlite:////nowhere/todo.db", "postgresql://u:p@127.0.0.1:1/x"])
def test_a_lost_database_leaves_it_alive(url: str, token: Callable[..., dict[str, str]]) -> None:
    app = create_app(Settings.load({"DATABASE_URL": url, "AUTH_SECRET": SECRET}))
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code == 503
        assert client.get("/api/ada/tasks", headers=token()).status_code == 503


def test_only_configured_origins_are_allowed(client: TestClient) -> None:
    def allowed(origin: str) -> str | None:
        answer = client.get("/health/live", headers={"Origin": origin})
        return answer.headers.get("Access-Control-Allow-Origin")

    assert allowed(ORIGIN) == ORIGIN
    assert allowed("https://elsewhere.example.org") is None


def test_starting_creates_no_tables(settings: Settings, engine: Engine) -> None:
    with TestClient(create_app(settings)):
        assert not inspect(engine).get_table_names()


def test_migrations_make_the_schema_of_the_models_and_run_once(engine: Engine) -> None:
    def schema() -> str:
        found = inspect(engine)
        return f"{found.get_columns('task')} {found.get_indexes('task')}"

    assert [migrate(engine), migrate(engine)] == [len(MIGRATIONS), 0]
    migrated = schema()
    SQLModel.metadata.drop_all(engine)
    SQLModel.metadata.create_all(engine)
    assert migrated == schema()


def test_a_record_becomes_one_line_of_json() -> None:
    record = logging.LogRecord(
        "uvicorn.access",
        logging.INFO,
        __file__,
        1,
        '%s - "%s %s HTTP/%s" %d',
        ("10.0.0.1:1", "GET", "/health/live", "1.1", 200),
        None,
    )
    text = JsonFormatter().format(record)
    line = json.loads(text)
    assert "\n" not in text
    assert (line["path"], line["status"], line["level"]) == ("/health/live", 200, "info")
