"""Two questions an orchestrator asks: is the process alive, and can it serve."""

from fastapi import APIRouter, Response, status

from app.database import DatabaseEngine, answers

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers; the database is not asked, so its trouble restarts nobody."""
    return {"status": "alive"}


@router.get("/ready")
def ready(engine: DatabaseEngine, response: Response) -> dict[str, str]:
    """The database answers too; 503 while it is away."""
    if answers(engine):
        return {"status": "ready"}
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return {"status": "database unavailable"}
