"""Which jobs name which input pictures, and when a picture is looked at: rows of the pictures table.

A use is a row (picture, job), written in the transaction of its job. It is never the truth: the row of the job is, and
a use whose job has gone is dropped when its picture is looked at. The row (picture, `look`) says when that is.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from darkroom import ids
from darkroom.aws.job_items import attributes, values_of
from darkroom.errors import Busy
from darkroom.images.ports import Due, Use
from darkroom.jobs.model import Job
from darkroom.tables import PICTURES

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_LOOK = "look"
"""The sort key of the row that says when a picture is looked at. No id of a job sorts beside it."""
_LOOK_KEPT = 30 * 86_400
"""Seconds after its time that such a row is kept: a picture nobody looked at by then goes by the bucket's own rule."""
_BATCH = 25
"""Items in one BatchWriteItem."""
_TRIES = 5


def use_puts(table: str, job: Job) -> list[Any]:
    """The uses of a new job's pictures as items of a transaction: one for each picture."""
    return [
        {
            "Put": {
                "TableName": table,
                "Item": attributes(
                    {"picture": _name(job.line.owner, image), "job": job.line.id, "expires_at": job.expires_at}
                ),
            }
        }
        for image in sorted(set(job.inputs.values()))
    ]


class DynamoPictureUses:
    """`darkroom.images.ports.PictureUses` on DynamoDB."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def look_later(self, owner: str, image_ids: Collection[str], at: str) -> None:
        """See `PictureUses.look_later`: one UpdateItem a picture."""
        for image in sorted(image_ids):
            self._client.update_item(
                TableName=self._table,
                Key=_look_key(_name(owner, image)),
                UpdateExpression="SET #look = :due, look_at = :at, expires_at = :end",
                ExpressionAttributeNames={"#look": "look"},
                ExpressionAttributeValues=attributes({":due": "due", ":at": at, ":end": _end(at)}),
            )

    def keep(self, owner: str, image_ids: Collection[str], until: str) -> set[str]:
        """See `PictureUses.keep`: one BatchGetItem, consistent, and an UpdateItem for each that is to be looked at."""
        names = {_name(owner, image): image for image in image_ids}
        if not names:
            return set()
        asked: Any = {"Keys": [_look_key(name) for name in names], "ConsistentRead": True}
        answer = self._client.batch_get_item(RequestItems={self._table: asked})
        if answer.get("UnprocessedKeys"):
            raise Busy("aws_busy", "AWS asked to slow down (dynamodb).")
        found = [item["picture"]["S"] for item in answer["Responses"].get(self._table, [])]
        return {names[name] for name in found if not self._put_off(name, until)}

    def _put_off(self, name: str, until: str) -> bool:
        """Whether a picture is not looked at before `until`; False when it is being removed."""
        condition = "attribute_exists(picture) AND attribute_not_exists(removing) AND look_at < :at"
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_look_key(name),
                UpdateExpression="SET look_at = :at, expires_at = :end",
                ConditionExpression=condition,
                ExpressionAttributeValues=attributes({":at": until, ":end": _end(until)}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            # It has gone meanwhile, or it is looked at later still, or it is being removed.
            answer: Any = refused.response
            return "removing" not in answer.get("Item", {})
        return True

    def due(self, now: str, limit: int) -> list[Due]:
        """See `PictureUses.due`: one Query of the index `looks`."""
        answer = self._client.query(
            TableName=self._table,
            IndexName=PICTURES.indexes[0].name,
            KeyConditionExpression="#look = :due AND look_at <= :now",
            ExpressionAttributeNames={"#look": "look"},
            ExpressionAttributeValues=attributes({":due": "due", ":now": now}),
            Limit=limit,
        )
        return [_due(values_of(item)) for item in answer["Items"]]

    def uses(self, due: Due) -> Iterator[list[Use]]:
        """See `PictureUses.uses`: one Query, consistent, a page of 100."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="picture = :picture AND #job BETWEEN :low AND :high",
            ExpressionAttributeNames={"#job": "job"},
            ExpressionAttributeValues=attributes(
                {":picture": _name(due.owner, due.image_id), ":low": ids.LOWEST, ":high": ids.HIGHEST}
            ),
            ScanIndexForward=False,
            ConsistentRead=True,
            PaginationConfig={"PageSize": 100},
        )
        for page in pages:
            rows = [values_of(item) for item in page["Items"]]
            if rows:
                yield [Use(row["job"], int(row.get("expires_at", 0))) for row in rows]

    def drop(self, due: Due, job_ids: list[str]) -> None:
        """See `PictureUses.drop`: one BatchWriteItem for each 25."""
        name = _name(due.owner, due.image_id)
        for start in range(0, len(job_ids), _BATCH):
            batch = job_ids[start : start + _BATCH]
            left: Any = {self._table: [{"DeleteRequest": {"Key": _key(name, job_id)}} for job_id in batch]}
            for _ in range(_TRIES):
                left = self._client.batch_write_item(RequestItems=left).get("UnprocessedItems")
                if not left:
                    break
            else:
                raise Busy("aws_busy", "AWS asked to slow down (dynamodb).")

    def claim(self, due: Due, now: str) -> bool:
        """See `PictureUses.claim`: one conditional UpdateItem."""
        # Botocore sends a claim again when its answer was lost: it then finds what it wrote itself.
        before = "removing = :before" if due.removing else "attribute_not_exists(removing)"
        values: dict[str, object] = {":now": now, ":at": due.look_at, ":before": due.removing}
        return self._if_as_seen(due, "SET removing = :now", f"({before} OR removing = :now)", values)

    def postpone(self, due: Due, until: str) -> bool:
        """See `PictureUses.postpone`: one conditional UpdateItem."""
        before = "removing = :before" if due.removing else "attribute_not_exists(removing)"
        values: dict[str, object] = {
            ":at": due.look_at,
            ":before": due.removing,
            ":until": until,
            ":end": _end(until),
        }
        update = "SET look_at = :until, expires_at = :end REMOVE removing"
        return self._if_as_seen(due, update, before, values)

    def _if_as_seen(self, due: Due, update: str, condition: str, values: dict[str, object]) -> bool:
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_look_key(_name(due.owner, due.image_id)),
                UpdateExpression=update,
                ConditionExpression=f"look_at = :at AND {condition}",
                ExpressionAttributeValues=attributes(values),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def forget(self, due: Due) -> None:
        """See `PictureUses.forget`: one conditional DeleteItem."""
        before = "removing = :before" if due.removing else "attribute_not_exists(removing)"
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=_look_key(_name(due.owner, due.image_id)),
                ConditionExpression=f"look_at = :at AND {before}",
                ExpressionAttributeValues=attributes({":at": due.look_at, ":before": due.removing}),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return


def _name(owner: str, image_id: str) -> str:
    return f"{owner}/{image_id}"


def _key(name: str, job: str) -> Any:
    return attributes({"picture": name, "job": job})


def _look_key(name: str) -> Any:
    return _key(name, _LOOK)


def _due(values: dict[str, Any]) -> Due:
    owner, _, image_id = values["picture"].rpartition("/")
    return Due(owner, image_id, values["look_at"], values.get("removing"))


def _end(moment: str) -> int:
    return int(datetime.fromisoformat(moment).astimezone(UTC).timestamp()) + _LOOK_KEPT
