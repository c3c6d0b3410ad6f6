"""Bring the database to the schema this version needs: `python -m app.migrate`.

The server never does this itself: a deployment runs it once, before its servers start. Each
migration is applied once, in order, and is never edited afterwards.
"""

import logging
from collections.abc import Callable

import sqlalchemy as sa

from app import logs
from app.database import AWAY, connect, reason
from app.settings import Settings

Migration = Callable[[sa.Connection], None]

LOCK = 7_406_111  # any number, as long as every copy of this command names the same one
versions = sa.Table(
    "schema_version", sa.MetaData(), sa.Column("version", sa.Integer, primary_key=True)
)

logger = logging.getLogger(__name__)


def create_tasks(connection: sa.Connection) -> None:
    """1: the task table."""
    table = sa.Table(
        "task",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.String, nullable=False, index=True),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("completed", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    table.create(connection)


MIGRATIONS: tuple[Migration, ...] = (create_tasks,)


def migrate(engine: sa.Engine) -> int:
    """Apply what is missing, all or nothing; answer how many migrations that was."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        versions.create(connection, checkfirst=True)
        applied = set(connection.scalars(sa.select(versions.c.version)))
        missing = [item for item in enumerate(MIGRATIONS, 1) if item[0] not in applied]
        for version, migration in missing:
            migration(connection)
            connection.execute(versions.insert().values(version=version))
            logger.info("applied migration %d (%s)", version, migration.__name__)
    return len(missing)


def main() -> None:
    """Migrate the database that the environment names."""
    logs.configure()
    engine = connect(Settings.load_or_exit().database_url)
    try:
        count = migrate(engine)
    except AWAY as error:
        logger.critical("database unavailable: %s", reason(error))
        raise SystemExit(1) from None
    logger.info("schema is current, %d applied", count)


if __name__ == "__main__":
    main()
