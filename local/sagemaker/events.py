"""The events "SageMaker Endpoint State Change", from the change of status until they are delivered.

Their shape is the example of the Developer Guide's page on events for EventBridge: statuses in capitals, times in
epoch milliseconds, tags as an object. The guide also says that there may be several events for one change.
"""

import json
import re
import sqlite3
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from local.sagemaker.knobs import Chance
from local.sagemaker.protocol import Document
from local.sagemaker.settings import SimulatorSettings


class StateEvents:
    """The events still to be delivered, in the order they happened."""

    def __init__(self, database: sqlite3.Connection, settings: SimulatorSettings, chance: Chance) -> None:
        self._database = database
        self._settings = settings
        self._chance = chance

    def record(self, endpoint: Document, tags: dict[str, str], now: float) -> None:
        """Store the event that an endpoint (DescribeEndpoint's answer) has its status since `now` (epoch seconds). The
        knobs may lose the event or double it.
        """
        event = {
            "version": "0",
            "id": str(uuid4()),
            "detail-type": "SageMaker Endpoint State Change",
            "source": "aws.sagemaker",
            "account": self._settings.account,
            "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "region": self._settings.region,
            "resources": [endpoint["EndpointArn"]],
            "detail": detail(endpoint, tags),
        }
        number = self._database.execute(
            "INSERT INTO events (event, copies, due) VALUES (?, 1, ?)", (json.dumps(event), now)
        ).lastrowid
        assert number is not None  # noqa: S101 - an INSERT has one
        copies = 2 if self._chance.happens_to_event("duplicate_events_rate", number) else 1
        if self._chance.happens_to_event("lose_events_rate", number):
            copies = 0
        self._database.execute("UPDATE events SET copies = ? WHERE number = ?", (copies, number))
        self._database.execute("DELETE FROM events WHERE copies = 0")

    def next(self, now: float) -> tuple[int, dict[str, Any]] | None:
        """Number and content of the next event that is due at `now` (epoch seconds), or None."""
        row = self._database.execute(
            "SELECT number, event FROM events WHERE due <= ? ORDER BY number LIMIT 1", (now,)
        ).fetchone()
        return (row[0], json.loads(row[1])) if row else None

    def delivered(self, number: int) -> None:
        """Delete a delivered event, or one of its copies. Copies have the same id, as when AWS delivers an event
        twice."""
        self._database.execute("UPDATE events SET copies = copies - 1 WHERE number = ?", (number,))
        self._database.execute("DELETE FROM events WHERE copies <= 0")

    def postpone(self, due: float) -> None:
        """Deliver no event before `due` (epoch seconds); this delays all of them, so that they stay in order."""
        self._database.execute("UPDATE events SET due = ?", (due,))

    def waiting(self) -> int:
        """How many deliveries are still to be made."""
        return int(self._database.execute("SELECT coalesce(sum(copies), 0) FROM events").fetchone()[0])


def detail(endpoint: Document, tags: dict[str, str]) -> Document:
    """The `detail` of an endpoint's event."""
    content: Document = {
        "EndpointName": endpoint["EndpointName"],
        "EndpointArn": endpoint["EndpointArn"],
        "EndpointConfigName": endpoint["EndpointConfigName"],
        "ProductionVariants": [
            {
                "DesiredWeight": float(variant["DesiredWeight"]),
                "DesiredInstanceCount": float(variant["DesiredInstanceCount"]),
            }
            for variant in endpoint["ProductionVariants"]
        ],
        "EndpointStatus": event_status(endpoint["EndpointStatus"]),
        "CreationTime": _milliseconds(endpoint["CreationTime"]),
        "LastModifiedTime": _milliseconds(endpoint["LastModifiedTime"]),
        "Tags": tags,
    }
    if "FailureReason" in endpoint:
        content["FailureReason"] = endpoint["FailureReason"]
    return content


def event_status(status: str) -> str:
    """`InService` of the API is `IN_SERVICE` in an event."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", status).upper()


def _milliseconds(seconds: float) -> float:
    return float(round(seconds * 1000))
