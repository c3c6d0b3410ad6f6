"""The API contract: six routes, on one's own tasks."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

TASKS = "/api/ada/tasks"


def add(client: TestClient, title: str = "write a test") -> dict[str, Any]:
    answer = client.post(TASKS, json={"title": title})
    assert answer.status_code == 201
    return dict(answer.json())


def test_a_task_is_created_listed_and_read(ada: TestClient) -> None:
    task = add(ada, "  buy milk ")
    assert task["title"] == "buy milk"
    assert task["completed"] is False
    assert task["user_id"] == "ada"
    assert task["created_at"].endswith("Z")
    assert ada.get(TASKS).json() == [task]
    assert ada.get(f"{TASKS}/{task['id']}").json() == task


def test_a_task_is_replaced(ada: TestClient) -> None:
    task = add(ada)
    answer = ada.put(f"{TASKS}/{task['id']}", json={"title": "new", "description": "words"})
    changed = answer.json()
    assert (changed["title"], changed["description"]) == ("new", "words")
    assert changed["created_at"] == task["created_at"]
    assert changed["updated_at"] > task["updated_at"]


def test_completion_is_toggled(ada: TestClient) -> None:
    path = f"{TASKS}/{add(ada)['id']}/complete"
    assert [ada.patch(path).json()["completed"] for _ in range(2)] == [True, False]


def test_a_task_is_deleted(ada: TestClient) -> None:
    path = f"{TASKS}/{add(ada)['id']}"
    assert ada.delete(path).status_code == 204
    assert ada.get(path).status_code == 404
    assert ada.delete(path).status_code == 404


def test_a_list_comes_in_pages(ada: TestClient) -> None:
    titles = [add(ada, title)["title"] for title in "abc"]
    page = ada.get(TASKS, params={"limit": 1, "offset": 1}).json()
    assert [task["title"] for task in page] == titles[1:2]


@pytest.mark.parametrize(
    "body",
    [{}, {"title": ""}, {"title": "  "}, {"title": "a" * 201}, {"title": "a\0"}, {"title": 1}],
)
def test_a_bad_task_is_refused(ada: TestClient, body: dict[str, Any]) -> None:
    assert ada.post(TASKS, json=body).status_code == 422


@pytest.mark.parametrize("task_id", ["0", "nonsense", str(2**31)])
def test_a_bad_id_is_refused(ada: TestClient, task_id: str) -> None:
    assert ada.get(f"{TASKS}/{task_id}").status_code == 422
