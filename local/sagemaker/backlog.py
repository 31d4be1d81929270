"""The rows of the queue: invocations that wait, run or are done, and notices that are to be sent.

An invocation is marked as done and its notices are stored in one transaction. So when the process is killed, work may
be done twice, but none is lost.
"""

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from local.sagemaker.store import transaction


class Invocation(BaseModel):
    """One accepted InvokeEndpointAsync. Times are epoch seconds, locations S3 URIs; the topics are those of
    the endpoint when it was invoked.
    """

    model_config = ConfigDict(frozen=True)

    endpoint: str
    inference_id: str
    content_type: str | None
    accept: str | None
    custom_attributes: str | None
    input_location: str | None
    output_location: str
    failure_location: str | None
    timeout_seconds: int
    received: float
    success_topic: str | None
    error_topic: str | None
    include_response_in: tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """An invocation taken from the queue, with its inline body (None: it lies at `input_location`)."""

    sequence: int
    invocation: Invocation
    body: bytes | None
    expired: bool


@dataclass(frozen=True)
class Notice:
    """A message for a topic, to be sent at `due` (epoch seconds). It is held back up to `held_seconds` longer, so that
    the next notice is sent first, unless another one is held back already.
    """

    topic: str
    message: dict[str, Any]
    due: float
    held_seconds: float = 0.0


class Backlog:
    """The invocations of each endpoint, in the order in which they were accepted."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def add(self, invocation: Invocation, body: bytes | None, expires: float) -> int:
        """Put an invocation at the end of its endpoint's queue until the epoch second `expires`."""
        cursor = self._database.execute(
            "INSERT INTO invocations (endpoint, state, details, body, expires, not_before)"
            " VALUES (?, 'waiting', ?, ?, ?, 0)",
            (invocation.endpoint, invocation.model_dump_json(), body, expires),
        )
        return int(cursor.lastrowid or 0)

    def last(self, table: str = "invocations") -> int:
        """The number of the newest row of a table ever, 0 when there was none: of `invocations` or `events`."""
        row = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return int(row[0]) if row else 0

    def take(self, endpoint: str, now: float) -> Work | None:
        """The first invocation that may run now, marked as running; None when there is none."""
        row = self._database.execute(
            "UPDATE invocations SET state = 'running' WHERE sequence = (SELECT sequence FROM invocations"
            " WHERE endpoint = ? AND state = 'waiting' AND not_before <= ? ORDER BY sequence LIMIT 1)"
            " RETURNING sequence, details, body, expires",
            (endpoint, now),
        ).fetchone()
        if row is None:
            return None
        return Work(row[0], Invocation.model_validate_json(row[1]), row[2], expired=row[3] <= now)

    def give_back(self, sequence: int, not_before: float) -> None:
        """Put a running invocation back to its position in the queue; it is not taken before `not_before` (epoch
        seconds)."""
        self._database.execute(
            "UPDATE invocations SET state = 'waiting', not_before = ? WHERE sequence = ?",
            (not_before, sequence),
        )

    def give_back_all(self) -> None:
        """Put back all running invocations, because the process that ran them is gone."""
        self._database.execute("UPDATE invocations SET state = 'waiting', not_before = 0 WHERE state = 'running'")

    def settle(self, sequence: int, notices: list[Notice]) -> None:
        """Mark an invocation as done and store its notices; does nothing when its endpoint was deleted."""
        with transaction(self._database):
            done = self._database.execute(
                "UPDATE invocations SET state = 'done', body = NULL WHERE sequence = ?", (sequence,)
            )
            if done.rowcount == 0:
                return
            for notice in notices:
                held = notice.held_seconds > 0 and not self._one_is_held()
                due = notice.due + (notice.held_seconds if held else 0.0)
                self._database.execute(
                    "INSERT INTO notices (topic, message, due, overtaken) VALUES (?, ?, ?, ?)",
                    (notice.topic, json.dumps(notice.message), due, held),
                )

    def post(self, notices: list[Notice]) -> None:
        """Store notices that belong to no invocation."""
        self._database.executemany(
            "INSERT INTO notices (topic, message, due, overtaken) VALUES (?, ?, ?, 0)",
            [(notice.topic, json.dumps(notice.message), notice.due) for notice in notices],
        )

    def forget(self, endpoint: str) -> None:
        """Delete all invocations of an endpoint, because it is deleted."""
        self._database.execute("DELETE FROM invocations WHERE endpoint = ?", (endpoint,))

    def counts(self, endpoint: str) -> dict[str, int]:
        """How many invocations wait, run and are done."""
        rows = self._database.execute(
            "SELECT state, count(*) FROM invocations WHERE endpoint = ? GROUP BY state", (endpoint,)
        )
        counted = Counter(dict(rows.fetchall()))
        return {state: counted[state] for state in ("waiting", "running", "done")}

    def next_notice(self, now: float) -> tuple[int, str, str] | None:
        """Number, topic and message of the notice to send now, or None."""
        row: tuple[int, str, str] | None = self._database.execute(
            "SELECT number, topic, message FROM notices WHERE due <= ? ORDER BY due, number LIMIT 1", (now,)
        ).fetchone()
        return row

    def notice_sent(self, number: int) -> None:
        """Delete a notice that was sent. The notice that was held back for it is due now."""
        with transaction(self._database):
            self._database.execute("DELETE FROM notices WHERE number = ?", (number,))
            self._database.execute(
                "UPDATE notices SET due = 0, overtaken = 0 WHERE overtaken AND number < ?", (number,)
            )

    def postpone_notice(self, number: int, due: float) -> None:
        """Try a notice again at the epoch second `due`."""
        self._database.execute("UPDATE notices SET due = ? WHERE number = ?", (due, number))

    def _one_is_held(self) -> bool:
        return self._database.execute("SELECT 1 FROM notices WHERE overtaken").fetchone() is not None

    def unsent(self) -> int:
        """How many notices are still to be sent."""
        return int(self._database.execute("SELECT count(*) FROM notices").fetchone()[0])
