"""The six task routes; every one works on the asking user's own tasks only."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Query, status
from sqlmodel import col, select

from app.auth import Owner
from app.database import DatabaseSession
from app.models import Task, TaskInput, TaskOutput, now

LARGEST_ID = 2**31 - 1  # of a PostgreSQL integer

router = APIRouter(prefix="/api/{user_id}/tasks", tags=["tasks"])


def own_task(
    owner: Owner,
    session: DatabaseSession,
    task_id: Annotated[int, Path(alias="id", ge=1, le=LARGEST_ID)],
) -> Task:
    """The task in the path, if it is the asking user's; 404 otherwise."""
    task = session.get(Task, task_id)
    if task is None or task.user_id != owner:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "no such task")
    return task


OwnTask = Annotated[Task, Depends(own_task)]


def save(session: DatabaseSession, task: Task) -> Task:
    """Store a task and read back what the database made of it."""
    session.add(task)
    session.commit()
    session.refresh(task)
    return task


@router.get("", response_model=list[TaskOutput])
def list_tasks(
    owner: Owner,
    session: DatabaseSession,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
) -> Sequence[Task]:
    """The user's tasks, oldest first."""
    own = select(Task).where(Task.user_id == owner).order_by(col(Task.id))
    return session.exec(own.limit(limit).offset(offset)).all()


@router.post("", response_model=TaskOutput, status_code=status.HTTP_201_CREATED)
def create_task(owner: Owner, session: DatabaseSession, wanted: TaskInput) -> Task:
    """Add a task."""
    return save(session, Task(user_id=owner, **wanted.model_dump()))


@router.get("/{id}", response_model=TaskOutput)
def read_task(task: OwnTask) -> Task:
    """One task."""
    return task


@router.put("/{id}", response_model=TaskOutput)
def replace_task(session: DatabaseSession, task: OwnTask, wanted: TaskInput) -> Task:
    """Replace a task's title and description."""
    return save(session, task.sqlmodel_update(wanted, update={"updated_at": now()}))


@router.delete("/{id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_task(session: DatabaseSession, task: OwnTask) -> None:
    """Remove a task."""
    session.delete(task)
    session.commit()


@router.patch("/{id}/complete", response_model=TaskOutput)
def toggle_task(session: DatabaseSession, task: OwnTask) -> Task:
    """Mark a task done, or not done if it already was."""
    change = {"completed": not task.completed, "updated_at": now()}
    return save(session, task.sqlmodel_update(change))
