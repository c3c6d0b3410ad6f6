"""Who is asking (a signed bearer token) and whether the tasks asked for are theirs."""

from typing import Annotated

import jwt
from fastapi import Depends, HTTPException, Path, Request, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

ALGORITHM = "HS256"

bearer = HTTPBearer(auto_error=False, description="A JWT whose `sub` is the user's id")


def current_user(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> str:
    """The user a valid token speaks for; 401 without one."""
    try:
        token = credentials.credentials if credentials else ""
        claims = jwt.decode(
            token,
            request.app.state.settings.auth_secret,
            algorithms=[ALGORITHM],
            options={"require": ["exp", "sub"]},
        )
    except jwt.InvalidTokenError:
        raise HTTPException(
            status.HTTP_401_UNAUTHORIZED,
            "a valid bearer token is required",
            headers={"WWW-Authenticate": "Bearer"},
        ) from None
    return str(claims["sub"])


def owner(
    user_id: Annotated[str, Path(max_length=128)],
    user: Annotated[str, Depends(current_user)],
) -> str:
    """The user in the path, provided it is the one asking; 403 for anybody else's."""
    if user_id != user:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "these are another user's tasks")
    return user_id


Owner = Annotated[str, Depends(owner)]
