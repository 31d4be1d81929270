"""The simulator's database: one SQLite file in write-ahead mode, used by one thread."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (kind, name)
);
CREATE TABLE IF NOT EXISTS invocations (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, endpoint TEXT NOT NULL, state TEXT NOT NULL,
    details TEXT NOT NULL, body BLOB, expires REAL NOT NULL, not_before REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS invocations_of_endpoint ON invocations (endpoint, state, sequence);
CREATE TABLE IF NOT EXISTS notices (
    number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, message TEXT NOT NULL,
    due REAL NOT NULL, overtaken INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, copies INTEGER NOT NULL, due REAL NOT NULL
);
"""


def open_database(folder: Path) -> sqlite3.Connection:
    """The database in `folder`, created if necessary. Every statement is a transaction of its own, except inside
    `transaction`. Killing the process loses nothing that was committed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(folder / "sagemaker.sqlite3", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.executescript(_SCHEMA)
    return database


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Makes the statements inside the block one transaction; an exception rolls it back."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


class Documents:
    """JSON documents by kind and name: models, endpoint configurations, endpoints, tags, knobs, scalable targets
    and scaling policies.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def together(self) -> AbstractContextManager[None]:
        """A block whose writes are one transaction, whatever part of the simulator makes them."""
        return transaction(self._database)

    def put(self, kind: str, name: str, document: dict[str, Any]) -> None:
        """Store a document, replacing the old one."""
        self._database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (kind, name, json.dumps(document)))

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """The document of that name, or None."""
        row = self._database.execute(
            "SELECT document FROM documents WHERE kind = ? AND name = ?", (kind, name)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every document of a kind, by name."""
        rows = self._database.execute("SELECT document FROM documents WHERE kind = ? ORDER BY name", (kind,))
        return [json.loads(row[0]) for row in rows]

    def remove(self, kind: str, name: str) -> None:
        """Delete a document; no error when there is none."""
        self._database.execute("DELETE FROM documents WHERE kind = ? AND name = ?", (kind, name))
