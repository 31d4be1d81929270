"""Deletions of many jobs, in rows of the jobs table."""

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from darkroom.aws.job_items import attributes, values_of
from darkroom.idempotency import Idempotency
from darkroom.jobs.ports import Deletion, Noted
from darkroom.tables import JOBS

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_TEXT: TypeAdapter[Deletion] = TypeAdapter(Deletion)
_PREFIX = "deletion#"
_OPEN = next(index for index in JOBS.indexes if index.name == "open")
_RUNNING = "deletions"
"""The partition of running deletions in that index. Those of jobs are called by the numbers of shards."""


class DynamoDeletions:
    """`darkroom.jobs.ports.DeletionStore` on DynamoDB: a row a deletion. No list shows it, for it has no key of their
    indexes; while it runs, it has a partition of its own in the index of what is open. Status and time of its end are
    attributes of their own, for they are changed beside the steps."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def note(self, used: Idempotency, deletion: str, jobs: tuple[str, ...]) -> Noted:
        """See `DeletionStore.note`: one conditional PutItem."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=attributes(
                    {
                        "id": used.row_id,
                        "job_id": deletion,
                        "found": list(jobs),
                        "digest": used.digest,
                        "expires_at": used.expires_at,
                    }
                ),
                # TTL deletes rows days late; an expired one counts no more.
                ConditionExpression="attribute_not_exists(id) OR expires_at <= :now",
                ExpressionAttributeValues=attributes({":now": used.now}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as known:
            # Botocore sends a put again when its answer was lost: it then finds what it wrote itself.
            answer: Any = known.response
            values = values_of(answer["Item"])
            return Noted(values["digest"], values["job_id"], tuple(values.get("found", ())))
        return Noted(used.digest, deletion, jobs)

    def create(self, deletion: Deletion) -> bool:
        """See `DeletionStore.create`: one conditional PutItem."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=attributes(
                    {
                        "id": _row_id(deletion.id),
                        "deletion": _TEXT.dump_json(deletion).decode(),
                        "state": deletion.status,
                        _OPEN.partition: _RUNNING,
                        "version": deletion.version,
                        "expires_at": deletion.expires_at,
                    }
                ),
                ConditionExpression="attribute_not_exists(id)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def find(self, deletion_id: str) -> Deletion | None:
        """See `DeletionStore.find`: one consistent GetItem."""
        key = attributes({"id": _row_id(deletion_id)})
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return _read(item) if item else None

    def running(self) -> list[str]:
        """See `DeletionStore.running`: one Query."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=_OPEN.name,
            KeyConditionExpression=f"{_OPEN.partition} = :running",
            ExpressionAttributeValues={":running": {"S": _RUNNING}},
        )
        return [item["id"]["S"].removeprefix(_PREFIX) for page in pages for item in page["Items"]]

    def change(self, old: Deletion, new: Deletion) -> Deletion | None:
        """See `DeletionStore.change`: one conditional UpdateItem. Botocore sends it again when its answer was lost: it
        then finds itself as the writer."""
        changed = replace(new, version=old.version + 1)
        values: dict[str, object] = {
            ":deletion": _TEXT.dump_json(changed).decode(),
            ":old": old.version,
            ":new": changed.version,
            ":writer": secrets.token_hex(8),
        }
        update, condition = "SET deletion = :deletion, version = :new, writer = :writer", "version = :old"
        if new.status != "running":
            update += f", #state = :state, ended_at = :end REMOVE {_OPEN.partition}"
            condition += " AND #state = :running"
            values |= {":state": new.status, ":end": new.ended_at, ":running": "running"}
        return self._update(old.id, update, f"({condition}) OR writer = :writer", values)

    def stop(self, deletion_id: str, now: str) -> Deletion | None:
        """See `DeletionStore.stop`: one conditional UpdateItem, and a GetItem when it had ended before."""
        values: dict[str, object] = {":stopped": "stopped", ":end": now, ":running": "running"}
        update = f"SET #state = :stopped, ended_at = :end REMOVE {_OPEN.partition}"
        return self._update(deletion_id, update, "#state = :running", values) or self.find(deletion_id)

    def _update(self, deletion_id: str, update: str, condition: str, values: dict[str, object]) -> Deletion | None:
        named: Any = {"ExpressionAttributeNames": {"#state": "state"}} if "#state" in update else {}
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=attributes({"id": _row_id(deletion_id)}),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=attributes(values),
                ReturnValues="ALL_NEW",
                **named,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return _read(answer["Attributes"])


def _row_id(deletion_id: str) -> str:
    return _PREFIX + deletion_id


def _read(item: Any) -> Deletion:
    values = values_of(item)
    deletion = _TEXT.validate_json(values["deletion"])
    return replace(deletion, status=values["state"], ended_at=values.get("ended_at"))
