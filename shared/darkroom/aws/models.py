"""The models table in DynamoDB."""

from typing import TYPE_CHECKING, Any

from darkroom.aws.transactions import transact
from darkroom.checkpoints.model import Checkpoint, Kind, ModelKey, ModelStatus
from darkroom.checkpoints.ports import Listed
from darkroom.tables import MODELS
from darkroom.webui.spelling import KnownFile

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
(_IMPORTING,) = MODELS.indexes
_BYTES = "#size, etag, sha256"
"""What a row tells of the bytes of its file."""
_YES: Any = {"S": "yes"}
"""What the partition of that index is called."""


class DynamoModelRegistry:
    """`darkroom.checkpoints.ports.ModelRegistry` on DynamoDB."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def page(self, kind: Kind, after: str | None, limit: int) -> Listed:
        """See `ModelRegistry.page`: one Query."""
        values: Item = {":kind": {"S": kind}}
        condition = "kind = :kind"
        names: dict[str, Any] = {}
        if after is not None:
            condition += " AND #name > :after"
            values[":after"] = {"S": after}
            names = {"ExpressionAttributeNames": {"#name": "name"}}
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            Limit=limit,
            **names,
        )
        following = answer["LastEvaluatedKey"]["name"]["S"] if "LastEvaluatedKey" in answer else None
        return Listed([_row(item) for item in answer["Items"]], following)

    def get(self, key: ModelKey) -> Checkpoint | None:
        """See `ModelRegistry.get`: one consistent GetItem."""
        item = self._client.get_item(TableName=self._table, Key=_key(key), ConsistentRead=True).get("Item")
        return _row(item) if item else None

    def known_files(self, kind: Kind) -> list[KnownFile]:
        """See `ModelRegistry.known_files`: one Query, more only past 1 MB."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="kind = :kind",
            FilterExpression="#status = :active",
            ProjectionExpression=f"kind, #name, #status, folder, aliases, old_hash, #object, purpose, {_BYTES}",
            ExpressionAttributeNames={"#status": "status", "#name": "name", "#object": "object", "#size": "size"},
            ExpressionAttributeValues={":kind": {"S": kind}, ":active": {"S": "active"}},
        )
        rows = [_row(item) for page in pages for item in page["Items"]]
        return [_known(row) for row in rows]

    def describe(self, row: Checkpoint) -> None:
        """See `ModelRegistry.describe`: one conditional PutItem."""
        self._put(row, "#status = :active AND attribute_not_exists(old_hash)", {":active": {"S": "active"}})

    def count(self, kind: Kind, owner: str, status: ModelStatus) -> int:
        """See `ModelRegistry.count`: one Query, more only past 1 MB. It reads all rows of the kind."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="kind = :kind",
            FilterExpression="#owner = :owner AND #status = :status",
            Select="COUNT",
            ExpressionAttributeNames={"#owner": "owner", "#status": "status"},
            ExpressionAttributeValues={":kind": {"S": kind}, ":owner": {"S": owner}, ":status": {"S": status}},
        )
        return sum(page["Count"] for page in pages)

    def importing(self) -> list[ModelKey]:
        """See `ModelRegistry.importing`: one Query of an index that holds nothing else."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=_IMPORTING.name,
            KeyConditionExpression=f"{_IMPORTING.partition} = :yes",
            ExpressionAttributeValues={":yes": _YES},
        )
        items: list[Item] = [item for page in pages for item in page["Items"]]
        return [ModelKey(item["kind"]["S"], item["name"]["S"]) for item in items]

    def begin(self, row: Checkpoint) -> bool:
        """See `ModelRegistry.begin`: one conditional PutItem."""
        return self._put(row, "attribute_not_exists(kind) OR #status = :fail", {":fail": {"S": "fail"}})

    def change(self, old: Checkpoint, new: Checkpoint) -> bool:
        """See `ModelRegistry.change`: one conditional PutItem."""
        values: Item = {":status": {"S": old.status}, ":upload": {"S": old.upload_id or ""}}
        condition = "#status = :status AND upload_id = :upload"
        if old.step:
            condition += " AND step = :step"
            values[":step"] = {"N": str(old.step)}
            if old.step_token:
                condition += " AND step_token = :token"
                values[":token"] = {"S": old.step_token}
        else:
            condition += " AND attribute_not_exists(step)"
        return self._put(new, condition, values)

    def rename(self, old: Checkpoint, new: Checkpoint) -> bool:
        """See `ModelRegistry.rename`: one TransactWriteItems."""
        same_file = "#object = :object" if old.object else "attribute_not_exists(#object)"
        values: Item = {":active": {"S": "active"}} | ({":object": {"S": old.object}} if old.object else {})
        delete = {
            "TableName": self._table,
            "Key": _key(old.key),
            "ConditionExpression": f"#status = :active AND {same_file}",
            "ExpressionAttributeNames": {"#status": "status", "#object": "object"},
            "ExpressionAttributeValues": values,
        }
        put = {"TableName": self._table, "Item": _item(new), "ConditionExpression": "attribute_not_exists(kind)"}
        try:
            transact(self._client, [{"Delete": delete}, {"Put": put}])
        except self._client.exceptions.TransactionCanceledException:
            return False
        return True

    def remove(self, row: Checkpoint) -> bool:
        """See `ModelRegistry.remove`: one conditional DeleteItem."""
        condition = "#status = :status"
        values: Item = {":status": {"S": row.status}}
        if row.upload_id:
            condition += " AND upload_id = :upload"
            values[":upload"] = {"S": row.upload_id}
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=_key(row.key),
                ConditionExpression=condition,
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            # There is no row: the first try of this call removed it, and its answer was lost.
            return not refused.response.get("Item")
        return True

    def not_active(self, models: tuple[ModelKey, ...]) -> tuple[ModelKey, ...]:
        """See `ModelRegistry.not_active`: one GetItem each."""
        rows = {key: self.get(key) for key in models}
        return tuple(key for key, row in rows.items() if row is None or row.status != "active")

    def _put(self, row: Checkpoint, condition: str, values: Item) -> bool:
        item = _item(row)
        try:
            self._client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            # Botocore tries again when an answer is lost, and then finds what its first try wrote.
            return bool(refused.response.get("Item") == item)
        return True


def _known(row: Checkpoint) -> KnownFile:
    key = row.key
    return KnownFile(
        key.name, row.folder, row.aliases, row.sha256, row.old_hash, row.object, row.purpose, row.size, row.etag
    )


def _key(key: ModelKey) -> Item:
    return {"kind": {"S": key.kind}, "name": {"S": key.name}}


_ATTRIBUTES = (
    "status",
    "sha256",
    "owner",
    "created_at",
    "upload_id",
    "base_model",
    "reason",
    "source",
    "step_token",
    "stepped_at",
    "fingerprint",
    "folder",
    "old_hash",
    "object",
    "purpose",
    "etag",
)
_LISTS = ("trigger_words", "aliases")


def _item(row: Checkpoint) -> Item:
    item = _key(row.key) | {name: {"S": getattr(row, name)} for name in _ATTRIBUTES if getattr(row, name) is not None}
    for name in ("size", "done", "attempts", "step"):
        if value := getattr(row, name):
            item[name] = {"N": str(value)}
    if row.status == "importing":
        item[_IMPORTING.partition] = _YES
    for name in _LISTS:
        if words := getattr(row, name):
            item[name] = _texts(words)
    return item


def _texts(words: tuple[str, ...]) -> Any:
    return {"L": [{"S": word} for word in words]}


def _row(item: Item) -> Checkpoint:
    texts: dict[str, Any] = {name: item[name]["S"] for name in _ATTRIBUTES if name in item}
    texts |= {name: tuple(word["S"] for word in item[name]["L"]) for name in _LISTS if name in item}
    return Checkpoint(
        key=ModelKey(item["kind"]["S"], item["name"]["S"]),
        size=int(item["size"]["N"]) if "size" in item else None,
        done=int(item["done"]["N"]) if "done" in item else None,
        attempts=int(item["attempts"]["N"]) if "attempts" in item else 0,
        step=int(item["step"]["N"]) if "step" in item else 0,
        **texts,
    )
