"""No token, a bad token, somebody else's token."""

from collections.abc import Callable

import jwt
import pytest
from fastapi.testclient import TestClient

from app.settings import Settings

TASKS = "/api/ada/tasks"
ROUTES = [
    ("GET", TASKS),
    ("POST", TASKS),
    ("GET", f"{TASKS}/1"),
    ("PUT", f"{TASKS}/1"),
    ("DELETE", f"{TASKS}/1"),
    ("PATCH", f"{TASKS}/1/complete"),
]
BODY = {"title": "a task"}

Token = Callable[..., dict[str, str]]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_token_nothing_is_shown(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path, json=BODY)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_another_user_is_forbidden(
    client: TestClient, token: Token, method: str, path: str
) -> None:
    answer = client.request(method, path, json=BODY, headers=token("eve"))
    assert answer.status_code == 403


def test_another_users_task_does_not_exist_under_ones_own_path(
    client: TestClient, token: Token
) -> None:
    task = client.post(TASKS, json=BODY, headers=token("ada")).json()
    answer = client.get(f"/api/eve/tasks/{task['id']}", headers=token("eve"))
    assert answer.status_code == 404


def test_a_forged_or_expired_token_is_refused(client: TestClient, token: Token) -> None:
    for headers in (token(secret="x" * 40), token(lifetime=-1)):
        assert client.get(TASKS, headers=headers).status_code == 401


def test_a_token_must_be_signed_and_must_expire(client: TestClient, settings: Settings) -> None:
    unsigned = jwt.encode({"sub": "ada", "exp": 2**32}, None, algorithm="none")
    eternal = jwt.encode({"sub": "ada"}, settings.auth_secret, algorithm="HS256")
    for text in (unsigned, eternal, "nonsense"):
        answer = client.get(TASKS, headers={"Authorization": f"Bearer {text}"})
        assert answer.status_code == 401
