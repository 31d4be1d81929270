"""Wake-ups of endpoints in the usage table: one row each, `wake#<endpoint>` and the moment it was asked for."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from darkroom.aws.expressions import Expression
from darkroom.aws.job_items import attributes, values_of
from darkroom.endpoints.model import WakeUp
from darkroom.times import moment, precise

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

ROWS = "wake#"
"""How the partitions of wake-ups begin."""
KEPT_SECONDS = 100 * 86_400
_STEPS = ("instance", "container", "picture")


class DynamoWakeUps:
    """`darkroom.endpoints.ports.WakeUpStore` on DynamoDB."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives epoch seconds."""
        self._client = client
        self._table = table
        self._clock = clock

    def add(self, wake_up: WakeUp) -> None:
        """See `WakeUpStore.add`: one PutItem. Two asks within a millisecond are one row."""
        row = {**_key(wake_up), "expires_at": int(self._clock()) + KEPT_SECONDS}
        self._client.put_item(TableName=self._table, Item=attributes(row))

    def complete(self, wake_up: WakeUp) -> None:
        """See `WakeUpStore.complete`: one conditional UpdateItem."""
        update = Expression()
        for step in _STEPS:
            if (when := getattr(wake_up, step)) is not None:
                update.set(step, precise(moment(when)))
        try:
            self._client.update_item(
                TableName=self._table,
                Key=attributes(_key(wake_up)),
                UpdateExpression=update.update(),
                ConditionExpression=f"attribute_exists({update.name('what')})",
                ExpressionAttributeNames=update.names,
                ExpressionAttributeValues=update.values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def last(self, endpoint: str, most: int) -> list[WakeUp]:
        """See `WakeUpStore.last`: one Query."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="what = :what",
            ExpressionAttributeValues=attributes({":what": f"{ROWS}{endpoint}"}),
            ScanIndexForward=False,
            Limit=most,
        )
        return [_wake_up(endpoint, values_of(item)) for item in answer["Items"]]


def _key(wake_up: WakeUp) -> dict[str, object]:
    return {"what": f"{ROWS}{wake_up.endpoint}", "at": precise(moment(wake_up.asked))}


def _wake_up(endpoint: str, row: dict[str, Any]) -> WakeUp:
    steps = {step: _seconds(row[step]) for step in _STEPS if step in row}
    return WakeUp(endpoint, _seconds(row["at"]), **steps)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
