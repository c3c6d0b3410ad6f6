"""Log lines as JSON objects; `logging.json` beside this file puts them on standard output."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

ACCESS_FIELDS = ("client", "method", "path", "http_version", "status")


class JsonFormatter(logging.Formatter):
    """One record, one line; uvicorn's access records keep their fields apart."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record as a JSON object on one line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.name == "uvicorn.access" and isinstance(record.args, tuple):
            line |= dict(zip(ACCESS_FIELDS, record.args, strict=False))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure() -> None:
    """Log the way the server does, in commands that run without it."""
    from logging.config import dictConfig

    dictConfig(json.loads(Path(__file__).with_name("logging.json").read_text()))
