"""The five tables: their keys, their indexes, and the attributes in each index. The stacks and the tests create the
tables from this, and the adapters use it to read and write."""

from dataclasses import dataclass

LISTED_AS = "listed_as"
"""The status that lists show. It is not `status`, which stays in the row: a job is listed as `in_progress` from its
first write on, so that marking it after its hand-over writes to no index (docs/access-patterns.md)."""
LINE = "line"
"""A map of everything that a line of the history shows and that DynamoDB does not compare. The projection of an index
cannot be changed; another column needs no other projection when it is in this map."""
LINE_ATTRIBUTES = ("owner", "type", LISTED_AS, "endpoint", "checkpoint", LINE)
"""What a line of the history consists of. Every index that lists jobs contains it. DynamoDB allows 100 projected
attributes over all indexes of a table."""


@dataclass(frozen=True)
class Index:
    """A global secondary index: its partition attribute, its sort attribute, and the other attributes it contains."""

    name: str
    partition: str
    sort: str
    projected: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table whose keys are text. `ttl` names the attribute (epoch seconds) by which DynamoDB expires rows."""

    partition: str
    sort: str | None = None
    ttl: str | None = None
    indexes: tuple[Index, ...] = ()


def _jobs_index(name: str, partition: str) -> Index:
    return Index(name, partition, "id", tuple(a for a in LINE_ATTRIBUTES if a != partition))


JOBS = Table(
    partition="id",
    ttl="expires_at",
    indexes=(
        _jobs_index("feed", "feed"),
        _jobs_index("by_owner", "owner"),
        _jobs_index("by_endpoint", "endpoint"),
        _jobs_index("by_checkpoint", "checkpoint"),
        _jobs_index("by_type", "type_shard"),
        _jobs_index("by_status", "status_shard"),
        # Only open jobs and running deletions are in it, with what the limits count: DynamoDB bills a Query by whole
        # index items, whatever the request asks for, and a line with its prompt is up to 25 times as long.
        Index("open", "open_shard", "id", ("owner", "endpoint")),
    ),
)
MODELS = Table(
    partition="kind",
    sort="name",
    # Only rows that are `importing` are in it.
    indexes=(Index("importing", "importing", "name", ("status",)),),
)
PICTURES = Table(
    partition="picture",
    sort="job",
    ttl="expires_at",
    # Only the rows that say when a picture is looked at are in it.
    indexes=(Index("looks", "look", "look_at", ("removing",)),),
)
"""Which jobs name which input pictures: a table of its own, for a use has two keys and needs no index of the jobs."""
KEYS = Table(
    partition="hash",
    ttl="expires_at",
    indexes=(
        Index(
            "by_id",
            "listed",
            "id",
            (
                "owner",
                "role",
                "prefix",
                "created_at",
                "last_used",
                "expires_at",
                "requests_per_minute",
                "open_jobs",
            ),
        ),
    ),
)
USAGE = Table(partition="what", sort="at", ttl="expires_at")
"""What was used and what it may cost: wake-ups of endpoints, metered seconds, counted days of jobs, budgets. Each
question names one partition, and each partition is small, so it needs no index (docs/access-patterns.md)."""
