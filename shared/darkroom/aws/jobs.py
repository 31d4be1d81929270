"""The jobs table in DynamoDB."""

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from darkroom import ids
from darkroom.aws.expressions import Expression, filter_expression
from darkroom.aws.job_items import (
    attributes,
    brought_by,
    from_item,
    line_brought_by,
    line_from_item,
    pool_prices,
    progress_number,
    shard_of,
    short_place,
    status_key,
    to_item,
    values_of,
    whole_place,
)
from darkroom.aws.picture_uses import use_puts
from darkroom.aws.transactions import transact
from darkroom.checkpoints.model import ModelKey
from darkroom.errors import Busy
from darkroom.idempotency import Idempotency, row_id
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import Slice, Stream
from darkroom.jobs.model import Edit, Job, JobLine, OpenJobCounts, Pool, Transition, again
from darkroom.jobs.ports import KeyUsed, ModelsNotActive, WriteResult
from darkroom.jobs.state import (
    CANCELLED,
    CREATED,
    IN_PROGRESS,
    OPEN,
    SUCCEED,
    CancelPoint,
    Origin,
    Status,
    origins,
    short_of,
)
from darkroom.tables import JOBS, LINE, LISTED_AS

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

BATCH = 100
"""Keys in one BatchGetItem."""
_PARTITIONS = {index.name: index.partition for index in JOBS.indexes}


class DynamoJobs:
    """`darkroom.jobs.ports.JobStore` on DynamoDB. One item a job, plus the rows of idempotency keys."""

    def __init__(
        self,
        client: "DynamoDBClient",
        jobs_table: str,
        models_table: str,
        pictures_table: str,
        shards: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives epoch seconds."""
        self._client = client
        self._table = jobs_table
        self._models_table = models_table
        self._pictures_table = pictures_table
        self._shards = shards
        self._clock = clock

    def create(self, job: Job, models: tuple[ModelKey, ...], idempotency: Idempotency | None) -> None:
        """See `JobStore.create`: one TransactWriteItems."""
        puts: list[Any] = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": to_item(job, self._shards, listed_as=job.listed_at_first),
                    "ConditionExpression": "attribute_not_exists(id)",
                }
            }
        ]
        if idempotency:
            puts.append({"Put": self._idempotency_row(job.line.id, idempotency)})
        if job.uses:
            puts += use_puts(self._pictures_table, job)
        checks: list[Any] = [{"ConditionCheck": self._active(key, job)} for key in models]
        try:
            transact(self._client, puts + checks)
        except self._client.exceptions.TransactionCanceledException as cancelled:
            raise _refusal(cancelled, len(puts), models, keyed=idempotency is not None) from cancelled

    def _idempotency_row(self, job_id: str, used: Idempotency) -> Any:
        return {
            "TableName": self._table,
            "Item": attributes(
                {"id": used.row_id, "job_id": job_id, "digest": used.digest, "expires_at": used.expires_at}
            ),
            # TTL deletes rows days late; an expired one counts no more.
            "ConditionExpression": "attribute_not_exists(id) OR expires_at <= :now",
            "ExpressionAttributeValues": attributes({":now": used.now}),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def idempotency(self, owner: str, key: str) -> KeyUsed | None:
        """See `JobStore.idempotency`: one consistent GetItem."""
        item = self._get(row_id(owner, key))
        if item is None or int(item["expires_at"]["N"]) <= self._clock():
            return None
        return _key_used(item)

    def _active(self, key: ModelKey, job: Job) -> Any:
        """The row is active, and of the file that was found: another one may have come under its name since."""
        named, at = {"#status": "status", "#object": "object"}, job.objects.get(key.kind, {}).get(key.name)
        same_file = "#object = :object" if at else "attribute_not_exists(#object)"
        return {
            "TableName": self._models_table,
            "Key": attributes({"kind": key.kind, "name": key.name}),
            "ConditionExpression": f"#status = :active AND {same_file}",
            "ExpressionAttributeNames": named,
            "ExpressionAttributeValues": attributes({":active": "active", ":object": at}),
        }

    def get(self, job_id: str) -> Job | None:
        """See `JobStore.get`: one consistent GetItem."""
        item = self._get(job_id)
        return from_item(item) if item else None

    def _get(self, row: str) -> Any:
        return self._client.get_item(TableName=self._table, Key=attributes({"id": row}), ConsistentRead=True).get(
            "Item"
        )

    def read(self, stream: Stream, filters: Filters, start: str, limit: int) -> Slice:
        """See `JobStore.read`: one Query, which DynamoDB may cut off at 1 MB."""
        if start < filters.low:
            return Slice([], 0, None)
        partition, expression = _PARTITIONS[stream.index], Expression()
        key = f"{expression.name(partition)} = {expression.value(stream.key)}"
        bounds = f"{expression.value(filters.low)} AND {expression.value(start)}"
        narrowed = filter_expression(expression, filters, partition)
        # DynamoDB takes no empty filter.
        optional: Any = {"FilterExpression": narrowed} if narrowed else {}
        answer = self._client.query(
            TableName=self._table,
            IndexName=stream.index,
            KeyConditionExpression=f"{key} AND id BETWEEN {bounds}",
            ExpressionAttributeNames=expression.names,
            ExpressionAttributeValues=expression.values,
            ScanIndexForward=False,
            Limit=limit,
            **optional,
        )
        lines = [line for line in map(line_from_item, answer["Items"]) if filters.match(line)]
        last_read = answer["LastEvaluatedKey"]["id"]["S"] if "LastEvaluatedKey" in answer else None
        return Slice(lines, answer["ScannedCount"], last_read)

    def open_jobs(self) -> OpenJobCounts:
        """See `JobStore.open_jobs`: one Query a shard of the index `open`, one more for each further 1 MB.

        It reads every open job, at half a read unit for 4 KB of index items. An item of this index has 80 to 150
        bytes, so 5,000 open jobs are 50 to 90 units (`make bench`). The ProjectionExpression makes the answer smaller,
        not the units, which DynamoDB counts by whole index items.
        """
        owners: Counter[str] = Counter()
        endpoints: Counter[str] = Counter()
        pages = self._client.get_paginator("query")
        for shard in range(self._shards):
            for page in pages.paginate(
                TableName=self._table,
                IndexName="open",
                KeyConditionExpression="open_shard = :shard",
                ExpressionAttributeValues=attributes({":shard": str(shard)}),
                ProjectionExpression="#owner, endpoint",
                ExpressionAttributeNames={"#owner": "owner"},
            ):
                owners.update(item["owner"]["S"] for item in page["Items"])
                endpoints.update(item["endpoint"]["S"] for item in page["Items"] if "endpoint" in item)
        return OpenJobCounts(owners.total(), dict(owners), dict(endpoints))

    def open_before(self, job_id: str, endpoint: str) -> int:
        """See `JobStore.open_before`: one Query a shard of the index `open`, one more for each further 1 MB. It reads
        the open jobs that were made before, as `open_jobs` reads all of them."""
        pages, found = self._client.get_paginator("query"), 0
        for shard in range(self._shards):
            for page in pages.paginate(
                TableName=self._table,
                IndexName="open",
                Select="COUNT",
                KeyConditionExpression="open_shard = :shard AND id < :id",
                FilterExpression="endpoint = :endpoint",
                ExpressionAttributeValues=attributes({":shard": str(shard), ":id": job_id, ":endpoint": endpoint}),
            ):
                found += page["Count"]
        return found

    def oldest(self, status: Status, shard: int, after: str, until: str, limit: int) -> list[JobLine]:
        """See `JobStore.oldest`: one Query of the `by_status` index."""
        if until <= after:
            return []
        answer = self._client.query(
            TableName=self._table,
            IndexName="by_status",
            KeyConditionExpression="status_shard = :key AND id BETWEEN :low AND :high",
            ExpressionAttributeValues=attributes(
                {":key": f"{status}#{shard}", ":low": ids.after(after), ":high": until}
            ),
            Limit=limit,
        )
        return [line_from_item(item) for item in answer["Items"]]

    def apply(self, job_id: str, transition: Transition) -> WriteResult:
        """See `JobStore.apply`: one conditional UpdateItem."""
        update = Expression()
        update.set("status", transition.status)
        update.set("settled_by" if transition.completed_at else "submitted_by", transition.basis)
        self._list_as(update, job_id, transition.status)
        if transition.status == SUCCEED:
            update.remove("error", "error_code")
        if transition.status in OPEN:
            update.set("open_shard", str(shard_of(job_id, self._shards)))
        else:
            update.remove("open_shard")
        brought = {f"{LINE}.{name}": value for name, value in line_brought_by(job_id, transition).items()}
        for name, value in (brought_by(job_id, transition) | brought).items():
            if value is not None:
                update.set(name, value)
        if transition.notices:
            update.append("notices", list(transition.notices))
            update.add(f"{LINE}.notice_count", len(transition.notices))
        condition = update.stands_at(origins(transition.status, transition.run))
        if transition.run is not None:
            condition = f"{condition} AND {_at_run(update, transition.run)}"
        if transition.status == IN_PROGRESS:
            condition += f" AND {_not_taken(update)}"
        if transition.needs_type:
            condition += f" AND attribute_not_exists({update.name('pool')})"
        if transition.only_for is not None:
            condition = f"{condition} AND {update.one_of('type', transition.only_for)}"
        return self._conditional(job_id, update, condition)

    def _list_as(self, update: Expression, job_id: str, status: Status) -> None:
        """Show this status in lists. No index is written when it is the one that they show already."""
        update.set(LISTED_AS, status)
        key = status_key(status, shard_of(job_id, self._shards))
        if key is None:
            update.remove("status_shard")
        else:
            update.set("status_shard", key)

    def list_as_created(self, job_id: str) -> WriteResult:
        """See `JobStore.list_as_created`: one conditional UpdateItem."""
        update = Expression()
        self._list_as(update, job_id, CREATED)
        return self._conditional(job_id, update, update.stands_at([Origin(CREATED)]))

    def edit(self, job_id: str, edit: Edit, scope: str | None) -> Job | None:
        """See `JobStore.edit`: one conditional UpdateItem."""
        update = Expression()
        for name in sorted(edit.changed):
            value = getattr(edit, name)
            if value:
                update.set(f"{LINE}.{name}", list(value) if isinstance(value, tuple) else value)
            else:
                update.remove(f"{LINE}.{name}")
        # Other rows of the table have no line.
        condition = f"attribute_exists({update.name(LINE)})"
        if scope is not None:
            condition += f" AND {update.one_of('owner', [scope])}"
        try:
            answer = self._update(job_id, update, condition, ReturnValues="ALL_NEW")
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return from_item(answer["Attributes"])

    def progress(self, job_id: str, progress: float, started_at: str) -> WriteResult:
        """See `JobStore.progress`: one conditional UpdateItem."""
        return self._report(job_id, "progress", progress, started_at)

    def loading(self, job_id: str, share: float, started_at: str) -> WriteResult:
        """See `JobStore.loading`: one conditional UpdateItem."""
        return self._report(job_id, "loading", share, started_at)

    def _report(self, job_id: str, what: str, share: float, started_at: str) -> WriteResult:
        update, stored = Expression(), progress_number(share)
        update.set(what, stored)
        update.set("started_at", started_at)
        is_open = update.stands_at(Origin(status) for status in OPEN)
        name = update.name(what)
        further = f"(attribute_not_exists({name}) OR {name} < {update.value(stored)})"
        if what == "loading":
            # Messages may come late: one that paints loads no more.
            further += f" AND attribute_not_exists({update.name('progress')})"
        # What a worker reports that began before the present run is of an earlier one.
        run, since = update.name("run"), update.name("handed_over_at")
        of_this_run = f"(attribute_not_exists({run}) OR {since} <= {update.value(started_at)})"
        return self._conditional(job_id, update, f"{is_open} AND {further} AND {of_this_run}")

    def claim_hand_over(self, job_id: str, before: int, now: str, run: int = 1) -> bool:
        """See `JobStore.claim_hand_over`: one conditional UpdateItem."""
        update = Expression()
        update.set("hand_overs", before + 1)
        update.set("handed_over_at", now)
        count = update.name("hand_overs")
        unchanged = f"{count} = {update.value(before)}" if before else f"attribute_not_exists({count})"
        # Botocore sends a claim again when its answer was lost: it then finds what it wrote itself.
        own = f"{update.name('handed_over_at')} = {update.value(now)}"
        idle = f"attribute_not_exists({update.name('started_at')})"
        at_run = f"{update.stands_at(origins(IN_PROGRESS, run))} AND {_at_run(update, run)} AND {_not_taken(update)}"
        condition = f"{at_run} AND {idle} AND ({unchanged} OR {own})"
        return self._conditional(job_id, update, condition).applied

    def begin_again(self, job: Job, now: str, notice: str) -> Job | None:
        """See `JobStore.begin_again`: one conditional UpdateItem, and a GetItem when it was refused."""
        update, job_id, following = Expression(), job.line.id, again(job, now, notice)
        update.set("status", IN_PROGRESS)
        self._list_as(update, job_id, IN_PROGRESS)
        update.set("run", following.run)
        update.set("submitted_at", now)
        update.set("handed_over_at", now)
        update.append("notices", [notice])
        update.add(f"{LINE}.notice_count", 1)
        update.remove("output_location", "failure_location", "started_at", "progress", "loading", "hand_overs")
        condition = f"{update.stands_at(Origin(status) for status in OPEN)} AND {_at_run(update, job.run)}"
        if self._conditional(job_id, update, condition).applied:
            return following
        # Botocore sends an update again when its answer was lost: it then finds what it wrote itself.
        found = self.get(job_id)
        own = found and found.awaits_hand_over and (found.run, found.handed_over_at) == (following.run, now)
        return following if own else None

    def note_cancel_point(self, job_id: str, point: CancelPoint) -> WriteResult:
        """See `JobStore.note_cancel_point`: one conditional UpdateItem."""
        update = Expression()
        update.set("cancelled_when", point)
        cancelled = update.stands_at([Origin(CANCELLED)])
        return self._conditional(job_id, update, f"{cancelled} AND {update.one_of('cancelled_when', short_of(point))}")

    def note_failure(self, job_id: str, failure_location: str, output_location: str | None = None) -> WriteResult:
        """See `JobStore.note_failure`: one conditional UpdateItem."""
        update = Expression()
        update.set("failure_location", short_place(job_id, failure_location))
        if output_location:
            update.set("output_location", short_place(job_id, output_location))
        return self._conditional(job_id, update, f"attribute_exists({update.name('id')})")

    def delete(self, job_id: str) -> Status | None:
        """See `JobStore.delete`: one DeleteItem."""
        answer = self._client.delete_item(TableName=self._table, Key=attributes({"id": job_id}), ReturnValues="ALL_OLD")
        status: Any = answer.get("Attributes", {}).get("status", {}).get("S")
        return status  # type: ignore[no-any-return]

    def first(self, shard: int) -> Job | None:
        """See `JobStore.first`: one Query of the `feed` index, and mostly one consistent GetItem."""
        answer = self._client.query(
            TableName=self._table,
            IndexName="feed",
            KeyConditionExpression="feed = :shard",
            ExpressionAttributeValues=attributes({":shard": str(shard)}),
            Limit=10,
        )
        for item in answer["Items"]:
            if job := self.get(item["id"]["S"]):
                return job
        if answer["Items"]:
            # The index lags behind the table, where these jobs have gone: which is the oldest cannot be told yet.
            raise Busy("aws_busy", "An index of the jobs table lags behind.")
        return None

    def existing(self, job_ids: list[str]) -> set[str]:
        """See `JobStore.existing`: one BatchGetItem for each 100; what DynamoDB leaves unprocessed counts as there."""
        found: set[str] = set()
        for start in range(0, len(job_ids), BATCH):
            keys: list[Any] = [attributes({"id": job_id}) for job_id in job_ids[start : start + BATCH]]
            answer = self._client.batch_get_item(
                RequestItems={self._table: {"Keys": keys, "ProjectionExpression": "id", "ConsistentRead": True}}
            )
            unprocessed: Any = answer.get("UnprocessedKeys") or {}
            rows: list[Any] = [*answer["Responses"].get(self._table, [])]
            rows += unprocessed.get(self._table, {}).get("Keys", [])
            found.update(row["id"]["S"] for row in rows)
        return found

    def _conditional(self, job_id: str, update: Expression, condition: str) -> WriteResult:
        try:
            self._update(job_id, update, condition, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            item: Any = refused.response.get("Item")
            if not item:
                return WriteResult(applied=False, exists=False)
            values = values_of(item)
            failure, output = (whole_place(job_id, values.get(f"{what}_location")) for what in ("failure", "output"))
            prices = pool_prices(values)
            pool = Pool(values["endpoint"], prices) if prices else None
            return WriteResult(
                False, True, values["status"], failure, values["type"], output, int(values.get("run", 1)), pool
            )
        return WriteResult(applied=True, exists=True)

    def _update(self, job_id: str, update: Expression, condition: str, **returned: Any) -> Any:
        # DynamoDB takes no values that no expression uses.
        values: Any = {"ExpressionAttributeValues": update.values} if update.values else {}
        return self._client.update_item(
            TableName=self._table,
            Key=attributes({"id": job_id}),
            UpdateExpression=update.update(),
            ConditionExpression=condition,
            ExpressionAttributeNames=update.names,
            **values,
            **returned,
        )


def _at_run(update: Expression, run: int) -> str:
    """The condition that a job is at this run; rows of first runs do not say it."""
    return f"{update.name('run')} = {update.value(run)}" if run > 1 else f"attribute_not_exists({update.name('run')})"


def _not_taken(update: Expression) -> str:
    """The condition that SageMaker has not confirmed that it took the job's present run."""
    return f"attribute_not_exists({update.name('output_location')})"


def _refusal(cancelled: ClientError, puts: int, models: tuple[ModelKey, ...], keyed: bool) -> Exception:
    """What a cancelled transaction says: its reasons stand in the order of its items (API reference of
    TransactWriteItems)."""
    reasons: list[Any] = cancelled.response.get("CancellationReasons", [])
    failed = [number for number, reason in enumerate(reasons) if reason.get("Code") == "ConditionalCheckFailed"]
    if 1 in failed and keyed:
        return _key_used(reasons[1]["Item"])
    missing = tuple(models[number - puts] for number in failed if number >= puts)
    if missing:
        return ModelsNotActive(missing)
    return Busy("aws_busy", "The job could not be written because of another write to the same rows.")


def _key_used(row: Any) -> KeyUsed:
    return KeyUsed(row["job_id"]["S"], row["digest"]["S"])
