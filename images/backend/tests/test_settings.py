"""Settings: every mistake named, no value shown."""

import pytest

from app.database import connect
from app.settings import EXIT_CODE, Settings, SettingsError
from tests.conftest import SECRET

GOOD = {"DATABASE_URL": "sqlite://", "AUTH_SECRET": SECRET}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"DATABASE_URL": "hunter2"}, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://u:hunter2@db/x"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u:hunter2@db:port/x"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://hunter2/x"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u@db/x?password=hunter2"}, "DATABASE_URL"),
        ({"AUTH_SECRET": ""}, "AUTH_SECRET"),
        ({"AUTH_SECRET": "hunter2"}, "AUTH_SECRET"),
        ({"CORS_ORIGINS": "*"}, "CORS_ORIGINS"),
        ({"CORS_ORIGINS": "https://hunter2.example.org/path"}, "CORS_ORIGINS"),
    ],
)
def test_a_mistake_is_named_and_not_shown(change: dict[str, str], name: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        Settings.load(GOOD | change)
    assert "hunter2" not in str(caught.value)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"DATABASE_URL.*AUTH_SECRET"):
        Settings.load({})


def test_a_process_ends_with_a_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTH_SECRET", raising=False)
    with pytest.raises(SystemExit) as caught:
        Settings.load_or_exit()
    assert caught.value.code == EXIT_CODE


def test_development_needs_no_database_url() -> None:
    settings = Settings.load({"APP_ENV": "development", "AUTH_SECRET": SECRET})
    assert settings.database_url.get_backend_name() == "sqlite"


def test_origins_are_separated_by_commas_or_spaces() -> None:
    settings = Settings.load(GOOD | {"CORS_ORIGINS": "http://localhost:3000, https://a.org"})
    assert settings.cors_origins == ("http://localhost:3000", "https://a.org")


def test_secrets_stay_out_of_the_representation() -> None:
    settings = Settings.load(GOOD | {"DATABASE_URL": "postgres://u:hunter2@db/x"})
    assert "hunter2" not in repr(settings)
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_goes_through_the_driver_that_is_there(scheme: str) -> None:
    url = f"{scheme}://u:p@db/x?sslmode=require&channel_binding=require"
    engine = connect(Settings.load(GOOD | {"DATABASE_URL": url}).database_url)
    assert engine.driver == "pg8000"
    assert not engine.url.query
