"""The models table in DynamoDB."""

from typing import TYPE_CHECKING, Any

from darkroom.checkpoints.model import Checkpoint, Kind, ModelKey

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class DynamoShelf:
    """`darkroom.checkpoints.ports.Shelf` on DynamoDB."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def of_kind(self, kind: Kind) -> list[Checkpoint]:
        """See `Shelf.of_kind`: one Query, more only past 1 MB."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="kind = :kind",
            ExpressionAttributeValues={":kind": {"S": kind}},
        )
        return [_row(item) for page in pages for item in page["Items"]]

    def not_active(self, models: tuple[ModelKey, ...]) -> tuple[ModelKey, ...]:
        """See `Shelf.not_active`: one GetItem each."""
        return tuple(key for key in models if not self._is_active(key))

    def _is_active(self, key: ModelKey) -> bool:
        item = self._client.get_item(TableName=self._table, Key={"kind": {"S": key.kind}, "name": {"S": key.name}}).get(
            "Item"
        )
        return item is not None and _row(item).status == "active"


def _row(item: dict[str, Any]) -> Checkpoint:
    def text(name: str) -> Any:
        return item[name]["S"] if name in item else None

    return Checkpoint(
        key=ModelKey(text("kind"), text("name")),
        status=text("status"),
        size=int(item["size"]["N"]) if "size" in item else None,
        sha256=text("sha256"),
        owner=text("owner"),
        created_at=text("created_at"),
    )
