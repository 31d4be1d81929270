"""The history in memory: a twin of the jobs table's indexes that counts what is read."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from darkroom.aws.jobs import shard_of
from darkroom.jobs.history import Filters, Slice, Stream
from darkroom.jobs.model import JobLine


def streams_of(line: JobLine, shards: int) -> Iterator[Stream]:
    """Every index partition a line stands in."""
    shard = shard_of(line.id, shards)
    yield Stream("feed", str(shard))
    yield Stream("by_owner", line.owner)
    yield Stream("by_endpoint", line.endpoint)
    yield Stream("by_type", f"{line.type}#{shard}")
    if line.checkpoint:
        yield Stream("by_checkpoint", line.checkpoint)
    if line.status != "succeed":
        yield Stream("by_status", f"{line.status}#{shard}")


def _id(line: JobLine) -> str:
    return line.id


class MemoryHistory:
    """Lines in their index partitions. `examined` and `reads` count over its life."""

    def __init__(self, shards: int = 1) -> None:
        self.shards = shards
        self.examined = 0
        self.reads = 0
        self._partitions: dict[Stream, list[JobLine]] = {}

    def cut(self, limit: int) -> int:
        """How many items a read gets to; DynamoDB stops early at 1 MB."""
        return limit

    def put(self, line: JobLine) -> None:
        """Add a line wherever its id belongs."""
        for stream in streams_of(line, self.shards):
            partition = self._partitions.setdefault(stream, [])
            if partition and partition[-1].id > line.id:
                insort(partition, line, key=_id)
            else:
                partition.append(line)

    def delete(self, line: JobLine) -> None:
        """Take a line out of every partition."""
        for stream in streams_of(line, self.shards):
            self._partitions[stream].remove(line)

    def read(self, stream: Stream, filters: Filters, start: str, limit: int) -> Slice:
        """As DynamoDB's Query reads: at most `limit` items, and where it stopped when that was the reason."""
        partition = self._partitions.get(stream, [])
        high = bisect_right(partition, start, key=_id)
        limit = min(limit, self.cut(limit))
        low = max(bisect_left(partition, filters.low, key=_id), high - limit)
        taken = partition[low:high][::-1] if low < high else []
        self.examined += len(taken)
        self.reads += 1
        return Slice(
            [line for line in taken if filters.match(line)],
            len(taken),
            taken[-1].id if len(taken) == limit else None,
        )
