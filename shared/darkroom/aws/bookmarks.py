"""The sweeper's bookmarks, in rows of the jobs table."""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from darkroom.jobs.model import as_json

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

BOOKMARK_SECONDS = 30 * 86_400
"""How long a bookmark is kept after it was saved."""


class DynamoBookmarks:
    """`darkroom.jobs.ports.Bookmarks` on DynamoDB: a row a name. It has no key of any index, so no list shows it."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives epoch seconds."""
        self._client = client
        self._table = table
        self._clock = clock

    def load(self, name: str) -> dict[str, str]:
        """See `Bookmarks.load`: one GetItem."""
        item = self._client.get_item(TableName=self._table, Key={"id": {"S": _row_id(name)}}).get("Item")
        bookmarks: dict[str, str] = json.loads(item["places"]["S"]) if item else {}
        return bookmarks

    def save(self, name: str, bookmarks: dict[str, str]) -> None:
        """See `Bookmarks.save`: one PutItem."""
        self._client.put_item(
            TableName=self._table,
            Item={
                "id": {"S": _row_id(name)},
                "places": {"S": as_json(bookmarks).decode()},
                "expires_at": {"N": str(int(self._clock()) + BOOKMARK_SECONDS)},
            },
        )


def _row_id(name: str) -> str:
    return f"sweep#{name}"
