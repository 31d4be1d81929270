"""The usage table in DynamoDB: counted days of jobs, metered seconds of endpoints, and budgets.

| what | at | holds |
| --- | --- | --- |
| `jobs#<month>` | date | the counts of a day, packed |
| `jobs` | `closed` | the last date up to which every day is closed |
| `gone#<month>` | job id | a removed job of a day that is not closed |
| `meter` | endpoint | what the meter last saw |
| `awake#<month>` | `<endpoint>#<date>` | for each instance type two numbers of seconds |
| `budget` | `stage`, `owner#<owner>` | a budget |
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from darkroom import ids
from darkroom.aws.job_items import attributes, packed, unpacked, values_of
from darkroom.aws.transactions import transact
from darkroom.costs.model import AwakeDay, Budget, Count, Counts, Day, Group, Hour, JobCost, Metered, Sample

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

KEPT_SECONDS = 400 * 86_400
"""How long counted days and metered seconds are kept: thirteen months."""
GONE_SECONDS = 30 * 86_400
SECONDS, WAKING = "seconds:", "waking:"
"""How the attributes begin that hold the seconds of an instance type."""
_OWNER = "owner#"


class _Rows:
    """Rows of the table."""

    def __init__(self, client: "DynamoDBClient", table: str, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives epoch seconds."""
        self._client = client
        self._table = table
        self._clock = clock

    def _all(self, what: str, consistent: bool = False) -> list[dict[str, Any]]:
        """Every row of a partition: one Query, one more for each further 1 MB."""
        return self._query("what = :what", {":what": what}, consistent)

    def _query(self, condition: str, values: Mapping[str, object], consistent: bool) -> list[dict[str, Any]]:
        names = {"#at": "at"} if "#at" in condition else {}
        more: Any = {"ExpressionAttributeNames": names} if names else {}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=attributes(values),
            ConsistentRead=consistent,
            **more,
        )
        return [values_of(item) for page in pages for item in page["Items"]]

    def _one(self, what: str, at: str) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._table, Key=_key(what, at), ConsistentRead=True)
        return values_of(answer["Item"]) if "Item" in answer else None

    def _until(self, seconds: int) -> int:
        return int(self._clock()) + seconds


class DynamoDays(_Rows):
    """`darkroom.costs.ports.DayStore` on DynamoDB."""

    def days(self, month: str) -> dict[str, Day]:
        """See `DayStore.days`: one Query."""
        return {row["at"]: _day(row) for row in self._all(f"jobs#{month}")}

    def day(self, date: str) -> Day | None:
        """See `DayStore.day`: one GetItem."""
        row = self._one(f"jobs#{date[:7]}", date)
        return _day(row) if row else None

    def save(self, day: Day) -> bool:
        """See `DayStore.save`: one conditional PutItem."""
        row = {"what": f"jobs#{day.date[:7]}", "at": day.date, "counts": packed(_text(day)), "version": day.version + 1}
        # Botocore sends a write again when its answer was lost: it then finds what it wrote itself.
        own = "(#version = :own AND #counts = :counts)"
        values = {":own": day.version + 1, ":counts": row["counts"]}
        unchanged = "#version = :before" if day.version else "attribute_not_exists(#version)"
        if day.version:
            values[":before"] = day.version
        try:
            self._client.put_item(
                TableName=self._table,
                Item=attributes({**row, "expires_at": self._until(KEPT_SECONDS)}),
                ConditionExpression=f"{unchanged} OR {own}",
                ExpressionAttributeNames={"#version": "version", "#counts": "counts"},
                ExpressionAttributeValues=attributes(values),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def closed_until(self) -> str | None:
        """See `DayStore.closed_until`: one GetItem."""
        row = self._one("jobs", "closed")
        return row["date"] if row else None

    def close_until(self, date: str) -> None:
        """See `DayStore.close_until`: one PutItem. It never expires: days would be counted again whose jobs are
        gone."""
        self._client.put_item(TableName=self._table, Item=attributes({"what": "jobs", "at": "closed", "date": date}))

    def note_removed(self, job: JobCost) -> None:
        """See `DayStore.note_removed`: one PutItem."""
        row = {
            "what": f"gone#{_month_of(job.id)}",
            "at": job.id,
            "group": list(job.group),
            "cost": job.cost,
            "run_seconds": job.run_seconds,
            "pictures": job.pictures,
            "cancelled": int(job.cancelled),
            "estimated": int(job.estimated),
            "expires_at": self._until(GONE_SECONDS),
        }
        self._client.put_item(TableName=self._table, Item=attributes(row))

    def removed(self, low: str, high: str) -> list[JobCost]:
        """See `DayStore.removed`: one Query, consistent."""
        values = {":what": f"gone#{_month_of(low)}", ":low": low, ":high": high}
        return [_removed(row) for row in self._query("what = :what AND #at BETWEEN :low AND :high", values, True)]


class DynamoMeter(_Rows):
    """`darkroom.costs.ports.MeterStore` on DynamoDB."""

    def samples(self) -> dict[str, Sample]:
        """See `MeterStore.samples`: one Query, consistent."""
        rows = self._all("meter", consistent=True)
        return {row["at"]: Sample(float(row["until"]), bool(row["awake"])) for row in rows}

    def add(
        self, endpoint: str, before: Sample | None, now: Sample, metered: Mapping[tuple[str, str], Metered]
    ) -> bool:
        """See `MeterStore.add`: one TransactWriteItems."""
        by_date: dict[str, dict[str, Metered]] = {}
        for (date, kind), value in metered.items():
            by_date.setdefault(date, {})[kind] = value
        adds = [self._addition(endpoint, date, kinds) for date, kinds in by_date.items()]
        try:
            transact(self._client, [self._replacement(endpoint, before, now), *adds])
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            return False
        return True

    def _replacement(self, endpoint: str, before: Sample | None, now: Sample) -> Any:
        row = {"what": "meter", "at": endpoint, "until": round(now.until, 3), "awake": int(now.awake)}
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": attributes({**row, "expires_at": self._until(KEPT_SECONDS)}),
            "ExpressionAttributeNames": {"#until": "until"},
            "ConditionExpression": "attribute_not_exists(#until)",
        }
        if before:
            put["ConditionExpression"] = "#until = :before"
            put["ExpressionAttributeValues"] = attributes({":before": round(before.until, 3)})
        return {"Put": put}

    def _addition(self, endpoint: str, date: str, kinds: Mapping[str, Metered]) -> Any:
        numbers: dict[str, float] = {}
        for kind, metered in kinds.items():
            numbers[SECONDS + kind] = round(metered.seconds, 3)
            if metered.waking:
                numbers[WAKING + kind] = round(metered.waking, 3)
        adds = ", ".join(f"#n{number} :v{number}" for number in range(len(numbers)))
        return {
            "Update": {
                "TableName": self._table,
                "Key": _key(f"awake#{date[:7]}", f"{endpoint}#{date}"),
                "UpdateExpression": f"ADD {adds} SET expires_at = :end",
                "ExpressionAttributeNames": {f"#n{number}": name for number, name in enumerate(numbers)},
                "ExpressionAttributeValues": attributes(
                    {f":v{number}": value for number, value in enumerate(numbers.values())}
                    | {":end": self._until(KEPT_SECONDS)}
                ),
            }
        }

    def awake(self, month: str) -> list[AwakeDay]:
        """See `MeterStore.awake`: one Query."""
        return [_awake(row) for row in self._all(f"awake#{month}")]


class DynamoBudgets(_Rows):
    """`darkroom.costs.ports.BudgetStore` on DynamoDB."""

    def all(self) -> list[Budget]:
        """See `BudgetStore.all`: one Query."""
        return [
            Budget(
                row["at"].removeprefix(_OWNER) if row["at"].startswith(_OWNER) else None,
                float(row["monthly"]),
                float(row["warn_at"]),
                row["set_by"],
                row["set_at"],
            )
            for row in self._all("budget")
        ]

    def put(self, budget: Budget) -> None:
        """See `BudgetStore.put`: one PutItem."""
        row = {
            "what": "budget",
            "at": _budget_at(budget.owner),
            "monthly": budget.monthly,
            "warn_at": budget.warn_at,
            "set_by": budget.set_by,
            "set_at": budget.set_at,
        }
        self._client.put_item(TableName=self._table, Item=attributes(row))

    def remove(self, owner: str | None) -> None:
        """See `BudgetStore.remove`: one DeleteItem."""
        self._client.delete_item(TableName=self._table, Key=_key("budget", _budget_at(owner)))


def _key(what: str, at: str) -> Any:
    return attributes({"what": what, "at": at})


def _budget_at(owner: str | None) -> str:
    return "stage" if owner is None else _OWNER + owner


def _month_of(job_id: str) -> str:
    return ids.created_at(job_id).date().isoformat()[:7]


def _text(day: Day) -> str:
    """The counts of a day as JSON."""
    told: dict[str, Any] = {
        "hours": {
            name: {"state": hour.settled + hour.final, "counts": _plain(hour.counts)}
            for name, hour in sorted(day.hours.items())
        }
    }
    if day.closed is not None:
        told["closed"] = _plain(day.closed)
    return json.dumps(told, separators=(",", ":"))


def _plain(counts: Counts) -> list[list[object]]:
    return [
        [*group, count.jobs, count.cost, count.unknown, count.estimated, count.run_seconds, count.pictures]
        for group, count in sorted(counts.items())
    ]


def _day(row: Mapping[str, Any]) -> Day:
    told = json.loads(unpacked(row["counts"]))
    hours = {
        name: Hour(_counts(hour["counts"]), settled=hour["state"] > 0, final=hour["state"] > 1)
        for name, hour in told["hours"].items()
    }
    closed = _counts(told["closed"]) if "closed" in told else None
    return Day(row["at"], closed, hours, int(row["version"]))


def _counts(plain: list[list[Any]]) -> Counts:
    return {Group(*each[:3]): Count(*each[3:]) for each in plain}


def _removed(row: Mapping[str, Any]) -> JobCost:
    return JobCost(
        row["at"],
        Group(*row["group"]),
        ended=True,
        cancelled=bool(row["cancelled"]),
        cost=float(row["cost"]) if "cost" in row else None,
        run_seconds=float(row["run_seconds"]) if "run_seconds" in row else None,
        pictures=int(row["pictures"]),
        estimated=bool(row["estimated"]),
    )


def _awake(row: Mapping[str, Any]) -> AwakeDay:
    endpoint, _, date = row["at"].rpartition("#")
    kinds = [name.removeprefix(SECONDS) for name in row if name.startswith(SECONDS)]
    metered = {kind: Metered(float(row[SECONDS + kind]), float(row.get(WAKING + kind, 0))) for kind in sorted(kinds)}
    return AwakeDay(endpoint, date, metered)
