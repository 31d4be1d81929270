"""What became of each job, told by every write to the jobs table.

The table's stream holds each write with the row before and after it, so no end is missed that another one replaced
a moment later. MiniStack forgets its streams when it is restarted: what was written in the second before and not read
yet is missed, but for the end the row has in the final scan.
"""

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from darkroom import ids
from darkroom.jobs.state import ENDS, WITHOUT_RESULT
from darkroom.tables import LINE

_LEGAL = [{("fail", code), ("succeed", None)} for code in WITHOUT_RESULT]
"""Two ends that one job may have: given up on, and answered after all."""
_READ = TypeDeserializer().deserialize


@dataclass(frozen=True)
class End:
    """How a row says that its job ended; another time or basis is another end."""

    status: str
    error_code: str | None
    completed_at: str
    settled_by: str


class Ledger:
    """The ends of all jobs since one id. `read` may be called from several threads."""

    def __init__(self, aws: Any, streams: Any, table: str, since: str) -> None:
        """`aws` and `streams` are clients of DynamoDB and of its streams; jobs older than `since` do not count."""
        self._aws = aws
        self._streams = streams
        self._table = table
        self._since = since
        self._iterator: str | None = None
        self._lock = threading.Lock()
        self._ends: dict[str, set[End]] = defaultdict(set)
        self._last: dict[str, End] = {}
        self.written: set[str] = set()
        """Jobs that ever had a row."""
        self.removed: set[str] = set()
        """Jobs whose row was deleted."""
        self.reopened: set[str] = set()
        """Jobs that had ended and were open again."""

    def open(self) -> None:
        """Begin to listen, or begin again after a restart of DynamoDB: from the first write that it still knows."""
        description = self._aws.describe_table(TableName=self._table)["Table"]
        if not description.get("StreamSpecification", {}).get("StreamEnabled"):
            wanted = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
            answer = self._aws.update_table(TableName=self._table, StreamSpecification=wanted)
            description = answer["TableDescription"]
        arn = description["LatestStreamArn"]
        shard = self._streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        answer = self._streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        with self._lock:
            self._iterator = answer["ShardIterator"]

    def close(self) -> None:
        """Leave the table as it was."""
        self._aws.update_table(TableName=self._table, StreamSpecification={"StreamEnabled": False})

    def read(self) -> None:
        """Take in what was written since the last time."""
        with self._lock:
            while self._iterator:
                answer = self._streams.get_records(ShardIterator=self._iterator)
                self._iterator = answer.get("NextShardIterator")
                for record in answer["Records"]:
                    self._write(record["dynamodb"].get("OldImage"), record["dynamodb"].get("NewImage"))
                if not answer["Records"]:
                    return

    def scan(self) -> dict[str, dict[str, Any]]:
        """The rows of all jobs as they are now; their ends count, too."""
        rows: dict[str, dict[str, Any]] = {}
        for page in self._aws.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
            rows.update((item["id"]["S"], item) for item in page["Items"] if self._counts(item))
        with self._lock:
            for item in rows.values():
                self._write(None, item)
        return rows

    def ended(self) -> set[str]:
        """Jobs that have an end, or were deleted."""
        with self._lock:
            return set(self._ends) | self.removed

    def twice(self) -> set[str]:
        """Jobs that ended a second time, or were open again after their end."""
        with self._lock:
            found = {
                job_id
                for job_id, ends in self._ends.items()
                if len(ends) > 2 or (len(ends) == 2 and {(e.status, e.error_code) for e in ends} not in _LEGAL)
            }
            return found | self.reopened

    def bases(self) -> Counter[str]:
        """How many ends rest on what."""
        with self._lock:
            return Counter(end.settled_by for end in self._last.values())

    def last_end(self) -> str | None:
        """When the last job ended, ISO 8601."""
        with self._lock:
            return max((end.completed_at for ends in self._ends.values() for end in ends), default=None)

    def _counts(self, item: dict[str, Any]) -> bool:
        job_id = item["id"]["S"]
        return ids.is_id(job_id) and job_id > self._since

    def _write(self, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        item = new or old
        if item is None or not self._counts(item):
            return
        job_id = item["id"]["S"]
        self.written.add(job_id)
        before, after = _end(old), _end(new)
        for end in (before, after):
            if end:
                self._ends[job_id].add(end)
                self._last[job_id] = end
        if new is None:
            self.removed.add(job_id)
        elif before and not after:
            self.reopened.add(job_id)


def _end(item: dict[str, Any] | None) -> End | None:
    row = {name: _READ(item[name]) for name in _NAMED if name in item} if item else {}
    if row.get("status") not in ENDS:
        return None
    ended_at = row.get(LINE, {}).get("completed_at", "never")
    return End(row["status"], row.get("error_code"), ended_at, row.get("settled_by", "nothing"))


_NAMED = ("status", "error_code", LINE, "settled_by")
