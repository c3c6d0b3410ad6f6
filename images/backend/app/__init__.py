"""A todo list over HTTP: FastAPI and SQLModel, on SQLite or PostgreSQL."""
