"""The jobs table in DynamoDB."""

import json
import random
import time
import zlib
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from darkroom import ids
from darkroom.checkpoints.model import ModelKey
from darkroom.errors import Busy
from darkroom.idempotency import Idempotency, row_id
from darkroom.jobs.contract import PaintedImage, Timings, WorkError
from darkroom.jobs.history import Filters, Slice, Stream
from darkroom.jobs.model import Job, JobLine, OpenJobCounts, Transition
from darkroom.jobs.ports import KeyUsed, ModelsNotActive, WriteResult
from darkroom.jobs.state import CANCELLED, CREATED, OPEN, SUCCEED, CancelPoint, Origin, Status, origins, short_of
from darkroom.tables import JOBS

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
CONFLICT_TRIES = 4
_WORTH_ANOTHER_TRY = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Cancellation codes (API reference of TransactWriteItems)."""
BATCH = 100
"""Keys in one BatchGetItem."""
BOOKMARK_SECONDS = 30 * 86_400
_PARTITIONS = {index.name: index.partition for index in JOBS.indexes}


class DynamoJobs:
    """`darkroom.jobs.ports.JobStore` on DynamoDB. One item a job, plus the rows of idempotency keys."""

    def __init__(
        self,
        client: "DynamoDBClient",
        jobs_table: str,
        models_table: str,
        shards: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives epoch seconds."""
        self._client = client
        self._table = jobs_table
        self._models_table = models_table
        self._shards = shards
        self._clock = clock

    def create(self, job: Job, models: tuple[ModelKey, ...], idempotency: Idempotency | None) -> None:
        """See `JobStore.create`: one TransactWriteItems."""
        puts: list[Any] = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": to_item(job, self._shards),
                    "ConditionExpression": "attribute_not_exists(id)",
                }
            }
        ]
        if idempotency:
            puts.append({"Put": self._idempotency_row(job.line.id, idempotency)})
        checks: list[Any] = [{"ConditionCheck": self._active(key)} for key in models]
        try:
            self._transact(puts + checks)
        except self._client.exceptions.TransactionCanceledException as cancelled:
            raise _refusal(cancelled, len(puts), models) from cancelled

    def _transact(self, items: list[Any]) -> None:
        """Two transactions that look at one checkpoint at once conflict (Developer Guide, "Transaction conflict
        handling"), and a throttled item cancels the whole. Nothing was done then, and botocore does not try again."""
        for attempt in range(CONFLICT_TRIES):
            try:
                self._client.transact_write_items(TransactItems=items)
                return
            except self._client.exceptions.TransactionCanceledException as cancelled:
                codes = {reason.get("Code") for reason in cancelled.response.get("CancellationReasons", [])}
                if not codes & _WORTH_ANOTHER_TRY or attempt == CONFLICT_TRIES - 1:
                    raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - jitter

    def _idempotency_row(self, job_id: str, used: Idempotency) -> Any:
        return {
            "TableName": self._table,
            "Item": {
                "id": {"S": used.row_id},
                "job_id": {"S": job_id},
                "digest": {"S": used.digest},
                "expires_at": {"N": str(used.expires_at)},
            },
            # TTL deletes rows days late; an expired one counts no more.
            "ConditionExpression": "attribute_not_exists(id) OR expires_at <= :now",
            "ExpressionAttributeValues": {":now": {"N": str(used.now)}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def idempotency(self, owner: str, key: str) -> KeyUsed | None:
        """See `JobStore.idempotency`: one consistent GetItem."""
        item = self._client.get_item(
            TableName=self._table, Key={"id": {"S": row_id(owner, key)}}, ConsistentRead=True
        ).get("Item")
        if item is None or int(item["expires_at"]["N"]) <= self._clock():
            return None
        return KeyUsed(item["job_id"]["S"], item["digest"]["S"])

    def _active(self, key: ModelKey) -> Any:
        return {
            "TableName": self._models_table,
            "Key": {"kind": {"S": key.kind}, "name": {"S": key.name}},
            "ConditionExpression": "#status = :active",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {":active": {"S": "active"}},
        }

    def get(self, job_id: str) -> Job | None:
        """See `JobStore.get`: one consistent GetItem."""
        answer = self._client.get_item(TableName=self._table, Key={"id": {"S": job_id}}, ConsistentRead=True)
        item = answer.get("Item")
        return from_item(item) if item else None

    def read(self, stream: Stream, filters: Filters, start: str, limit: int) -> Slice:
        """See `JobStore.read`: one Query, which DynamoDB may cut off at 1 MB."""
        partition = _PARTITIONS[stream.index]
        names = {"#key": partition}
        values: Item = {":key": {"S": stream.key}, ":low": {"S": filters.low}, ":high": {"S": start}}
        if start < filters.low:
            return Slice([], 0, None)
        request: Any = {"FilterExpression": text} if (text := _narrowed(filters, partition, names, values)) else {}
        answer = self._client.query(
            TableName=self._table,
            IndexName=stream.index,
            KeyConditionExpression="#key = :key AND id BETWEEN :low AND :high",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
            **request,
        )
        lines = [line for line in map(line_from_item, answer["Items"]) if filters.match(line)]
        last_read = answer["LastEvaluatedKey"]["id"]["S"] if "LastEvaluatedKey" in answer else None
        return Slice(lines, answer["ScannedCount"], last_read)

    def open_jobs(self) -> OpenJobCounts:
        """See `JobStore.open_jobs`: one paged Query of the sparse `by_status` index a shard and status."""
        owners: Counter[str] = Counter()
        endpoints: Counter[str] = Counter()
        pages = self._client.get_paginator("query")
        for status in OPEN:
            for shard in range(self._shards):
                for page in pages.paginate(
                    TableName=self._table,
                    IndexName="by_status",
                    KeyConditionExpression="status_shard = :key",
                    ExpressionAttributeValues={":key": {"S": f"{status}#{shard}"}},
                    ProjectionExpression="#owner, endpoint",
                    ExpressionAttributeNames={"#owner": "owner"},
                ):
                    owners.update(item["owner"]["S"] for item in page["Items"])
                    endpoints.update(item["endpoint"]["S"] for item in page["Items"] if "endpoint" in item)
        return OpenJobCounts(owners.total(), dict(owners), dict(endpoints))

    def oldest(self, status: Status, shard: int, after: str, until: str, limit: int) -> list[JobLine]:
        """See `JobStore.oldest`: one Query of the `by_status` index."""
        if until <= after:
            return []
        answer = self._client.query(
            TableName=self._table,
            IndexName="by_status",
            KeyConditionExpression="status_shard = :key AND id BETWEEN :low AND :high",
            ExpressionAttributeValues={
                ":key": {"S": f"{status}#{shard}"},
                ":low": {"S": ids.after(after)},
                ":high": {"S": until},
            },
            Limit=limit,
        )
        return [line_from_item(item) for item in answer["Items"]]

    def apply(self, job_id: str, transition: Transition) -> WriteResult:
        """See `JobStore.apply`: one conditional UpdateItem."""
        update = _Update()
        update.set("status", {"S": transition.status})
        update.set("settled_by" if transition.completed_at else "submitted_by", {"S": transition.basis})
        if transition.status == SUCCEED:
            update.remove("status_shard", "error", "error_code")
        else:
            update.set("status_shard", {"S": f"{transition.status}#{shard_of(job_id, self._shards)}"})
        for name, value in _brought(transition).items():
            update.set(name, value)
        return self._conditional(job_id, update, _from(update, origins(transition.status)))

    def progress(self, job_id: str, progress: float, started_at: str) -> WriteResult:
        """See `JobStore.progress`: one conditional UpdateItem."""
        update = _Update()
        update.set("progress", {"N": _number(progress)})
        update.set("started_at", {"S": started_at})
        value = update.value({"N": _number(progress)})
        condition = _from(update, tuple(Origin(status) for status in OPEN))
        progress_name = update.name("progress")
        later = f"(attribute_not_exists({progress_name}) OR {progress_name} < {value})"
        return self._conditional(job_id, update, f"({condition}) AND {later}")

    def claim_hand_over(self, job_id: str, before: int, now: str) -> bool:
        """See `JobStore.claim_hand_over`: one conditional UpdateItem."""
        update = _Update()
        update.set("hand_overs", {"N": str(before + 1)})
        # What a lost answer had its effect of is ours when botocore sends it again.
        own = f"{update.name('handed_over_at')} = {update.value({'S': now})}"
        update.set("handed_over_at", {"S": now})
        count = update.name("hand_overs")
        unchanged = f"{count} = {update.value({'N': str(before)})}" if before else f"attribute_not_exists({count})"
        idle = f"attribute_not_exists({update.name('started_at')})"
        condition = f"{_from(update, (Origin(CREATED),))} AND {idle} AND ({unchanged} OR {own})"
        return self._conditional(job_id, update, condition).applied

    def note_cancel_point(self, job_id: str, point: CancelPoint) -> WriteResult:
        """See `JobStore.note_cancel_point`: one conditional UpdateItem."""
        update = _Update()
        update.set("cancelled_when", {"S": point})
        cancelled = _from(update, (Origin(CANCELLED),))
        name = update.name("cancelled_when")
        places = ", ".join(update.value({"S": point}) for point in short_of(point))
        return self._conditional(job_id, update, f"{cancelled} AND {name} IN ({places})")

    def note_failure(self, job_id: str, failure_location: str) -> WriteResult:
        """See `JobStore.note_failure`: one conditional UpdateItem."""
        update = _Update()
        update.set("failure_location", {"S": failure_location})
        return self._conditional(job_id, update, f"attribute_exists({update.name('id')})")

    def delete(self, job_id: str) -> Status | None:
        """See `JobStore.delete`: one DeleteItem."""
        answer = self._client.delete_item(TableName=self._table, Key={"id": {"S": job_id}}, ReturnValues="ALL_OLD")
        return line_from_item(answer["Attributes"]).status if "Attributes" in answer else None

    def existing(self, job_ids: list[str]) -> set[str]:
        """See `JobStore.existing`: one BatchGetItem for each 100; what DynamoDB leaves unprocessed counts as there."""
        found: set[str] = set()
        for start in range(0, len(job_ids), BATCH):
            keys: list[Any] = [{"id": {"S": job_id}} for job_id in job_ids[start : start + BATCH]]
            answer = self._client.batch_get_item(
                RequestItems={self._table: {"Keys": keys, "ProjectionExpression": "id", "ConsistentRead": True}}
            )
            unprocessed: Any = answer.get("UnprocessedKeys") or {}
            rows: list[Any] = [*answer["Responses"].get(self._table, [])]
            rows += unprocessed.get(self._table, {}).get("Keys", [])
            found.update(row["id"]["S"] for row in rows)
        return found

    def load(self, name: str) -> dict[str, str]:
        """See `Bookmarks.load`: one GetItem."""
        item = self._client.get_item(TableName=self._table, Key={"id": {"S": _bookmark_id(name)}}).get("Item")
        places: dict[str, str] = json.loads(item["places"]["S"]) if item else {}
        return places

    def save(self, name: str, places: dict[str, str]) -> None:
        """See `Bookmarks.save`: one PutItem. The row has no key of any index, so no list ever shows it."""
        self._client.put_item(
            TableName=self._table,
            Item={
                "id": {"S": _bookmark_id(name)},
                "places": {"S": _json(places)},
                "expires_at": {"N": str(int(self._clock()) + BOOKMARK_SECONDS)},
            },
        )

    def _conditional(self, job_id: str, update: "_Update", condition: str) -> WriteResult:
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"id": {"S": job_id}},
                UpdateExpression=update.expression(),
                ConditionExpression=condition,
                ExpressionAttributeNames=update.names,
                ExpressionAttributeValues=update.values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            item: Any = refused.response.get("Item")
            if not item:
                return WriteResult(applied=False, exists=False)
            return WriteResult(False, True, line_from_item(item).status, _text(item, "failure_location"))
        return WriteResult(applied=True, exists=True)


class _Update:
    """An UpdateExpression that grows; every name goes through a placeholder, for `status` and others are reserved."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: Item = {}
        self._sets: list[str] = []
        self._removes: list[str] = []

    def name(self, attribute: str) -> str:
        self.names[f"#{attribute}"] = attribute
        return f"#{attribute}"

    def value(self, value: Item) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = value
        return placeholder

    def set(self, attribute: str, value: Item) -> None:
        self._sets.append(f"{self.name(attribute)} = {self.value(value)}")

    def remove(self, *attributes: str) -> None:
        self._removes += [self.name(attribute) for attribute in attributes]

    def expression(self) -> str:
        removes = f" REMOVE {', '.join(self._removes)}" if self._removes else ""
        return f"SET {', '.join(self._sets)}{removes}"


def _narrowed(filters: Filters, partition: str, names: dict[str, str], values: Item) -> str:
    """What DynamoDB itself can leave out, so that it does not travel: words and LoRA names are matched here."""
    allowed: dict[str, frozenset[str]] = {
        "type": filters.types,
        "status": frozenset(filters.statuses),
        **{
            name: frozenset([value] if value is not None else [])
            for name in ("endpoint", "checkpoint", "owner")
            for value in (getattr(filters, name),)
        },
    }
    parts = []
    for name, choices in allowed.items():
        # DynamoDB takes no attribute of the index's own key in a filter.
        if choices and name != partition:
            names[f"#{name}"] = name
            places = [f":{name}{number}" for number in range(len(choices))]
            values.update({place: {"S": choice} for place, choice in zip(places, sorted(choices), strict=True)})
            parts.append(f"#{name} IN ({', '.join(places)})")
    return " AND ".join(parts)


def _from(update: _Update, allowed: tuple[Origin, ...]) -> str:
    """The condition that a job stands at one of these origins."""
    parts = []
    for origin in allowed:
        part = f"{update.name('status')} = {update.value({'S': origin.status})}"
        if origin.error_code:
            part += f" AND {update.name('error_code')} = {update.value({'S': origin.error_code})}"
        parts.append(f"({part})")
    return " OR ".join(parts)


def _refusal(cancelled: ClientError, puts: int, models: tuple[ModelKey, ...]) -> Exception:
    """What a cancelled transaction says: its reasons stand in the order of its items (API reference of
    TransactWriteItems)."""
    reasons: list[Any] = cancelled.response.get("CancellationReasons", [])
    failed = [number for number, reason in enumerate(reasons) if reason.get("Code") == "ConditionalCheckFailed"]
    if 1 in failed and puts == 2:
        row = reasons[1]["Item"]
        return KeyUsed(row["job_id"]["S"], row["digest"]["S"])
    missing = tuple(models[number - puts] for number in failed if number >= puts)
    if missing:
        return ModelsNotActive(missing)
    return Busy("aws_busy", "The job could not be written because of another write to the same rows.")


def _bookmark_id(name: str) -> str:
    return "sweep#" + name


def shard_of(job_id: str, shards: int) -> int:
    """The shard a job's rows stand in, told from its id alone."""
    return zlib.crc32(job_id.encode()) % shards


def to_item(job: Job, shards: int) -> Item:
    """A job as an item. Parameters and other nested values are JSON text: they keep every number as it was sent."""
    line, shard = job.line, shard_of(job.line.id, shards)
    texts = {
        "id": line.id,
        "owner": line.owner,
        "type": line.type,
        "mode": line.mode,
        "status": line.status,
        "endpoint": line.endpoint,
        "checkpoint": line.checkpoint,
        "prompt": line.prompt,
        "feed": str(shard),
        "type_shard": f"{line.type}#{shard}",
        # The index of statuses holds only what did not succeed.
        "status_shard": f"{line.status}#{shard}" if line.status != SUCCEED else None,
        "parameters": _json(job.parameters),
        "inputs": _json(job.inputs) if job.inputs else None,
        "models": _json(job.models) if job.models else None,
        "instance_type": job.instance_type,
        "replay_of": job.replay_of,
    }
    item: Item = {name: {"S": text} for name, text in texts.items() if text is not None}
    if line.lora:
        item["lora"] = {"L": [{"S": name} for name in line.lora]}
    if line.price is not None:
        item["price"] = {"N": str(line.price)}
    if job.expires_at is not None:
        item["expires_at"] = {"N": str(job.expires_at)}
    return item


def _brought(transition: Transition) -> Item:
    """The attributes a change writes besides the status."""
    item: Item = {}
    for name in (
        "output_location",
        "failure_location",
        "caption",
        "submitted_at",
        "completed_at",
        "cancelled_when",
    ):
        value = getattr(transition, name)
        if value is not None:
            item[name] = {"S": value}
    if transition.images:
        pictures = [image.model_dump(exclude_none=True) for image in transition.images]
        item["images"] = {"S": _json(pictures)}
        item["image_count"] = {"N": str(len(pictures))}
        item["first_image"] = {"S": transition.images[0].key}
    if transition.timings:
        item["timings"] = {"S": transition.timings.model_dump_json()}
        if transition.timings.busy is not None:
            item["run_seconds"] = {"N": str(transition.timings.busy)}
    if transition.error:
        item["error"] = {"S": transition.error.model_dump_json()}
        item["error_code"] = {"S": transition.error.code}
    return item


def line_from_item(item: Item) -> JobLine:
    """The history line of an item, from the table or any index."""
    return JobLine(
        id=item["id"]["S"],
        owner=item["owner"]["S"],
        type=item["type"]["S"],
        status=item["status"]["S"],
        endpoint=_text(item, "endpoint"),
        mode=_text(item, "mode"),  # type: ignore[arg-type]
        checkpoint=_text(item, "checkpoint"),
        completed_at=_text(item, "completed_at"),
        image_count=int(item["image_count"]["N"]) if "image_count" in item else 0,
        first_image=_text(item, "first_image"),
        prompt=_text(item, "prompt"),
        lora=tuple(name["S"] for name in item.get("lora", {"L": []})["L"]),
        run_seconds=_float(item, "run_seconds"),
        price=_float(item, "price"),
    )


def from_item(item: Item) -> Job:
    """The whole job of an item of the table."""
    timings, error = _text(item, "timings"), _text(item, "error")
    return Job(
        line=line_from_item(item),
        parameters=json.loads(item["parameters"]["S"]),
        inputs=json.loads(_text(item, "inputs") or "{}"),
        models=json.loads(_text(item, "models") or "{}"),
        expires_at=int(item["expires_at"]["N"]) if "expires_at" in item else None,
        instance_type=_text(item, "instance_type"),
        failure_location=_text(item, "failure_location"),
        started_at=_text(item, "started_at"),
        progress=_float(item, "progress"),
        images=tuple(PaintedImage.model_validate(image) for image in json.loads(_text(item, "images") or "[]")),
        caption=_text(item, "caption"),
        timings=Timings.model_validate_json(timings) if timings else None,
        error=WorkError.model_validate_json(error) if error else None,
        submitted_at=_text(item, "submitted_at"),
        replay_of=_text(item, "replay_of"),
        cancelled_when=_text(item, "cancelled_when"),  # type: ignore[arg-type]
        hand_overs=int(item["hand_overs"]["N"]) if "hand_overs" in item else 0,
        handed_over_at=_text(item, "handed_over_at"),
    )


def _text(item: Item, name: str) -> str | None:
    value: str | None = item[name]["S"] if name in item else None
    return value


def _float(item: Item, name: str) -> float | None:
    return float(item[name]["N"]) if name in item else None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _number(value: float) -> str:
    return f"{value:.4f}"
