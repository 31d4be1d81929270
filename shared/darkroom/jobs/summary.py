"""Counts the jobs of a time range by status, type, endpoint, checkpoint and day, and adds up their cost."""

from collections import Counter

from darkroom import ids
from darkroom.jobs.api import Summary
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import LEAST, Read, fill, plan
from darkroom.jobs.state import CANCELLED
from darkroom.times import iso

MOST = 10_000
"""Jobs counted at most. Their lines are a few megabytes, read in slices of at most 1 MB."""


def summarize(read: Read, filters: Filters, shards: int, most: int = MOST) -> Summary:
    """Count the newest `most` jobs of the range; `exact` tells whether these were all.

    Of `filters`, only the range and the owner count. A range with more jobs is counted back to `since`.
    """
    in_range = Filters(owner=filters.owner, low=filters.low, high=filters.high)
    # One line more tells whether there are more; the merge of several shards reads some lines too many.
    page = fill(read, in_range, plan(in_range, shards), limit=most + 1, budget=2 * most + LEAST * shards)
    lines, exact = page.lines[:most], page.next is None and len(page.lines) <= most
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("status", "type", "endpoint", "checkpoint", "day")}
    for line in lines:
        counts["status"][line.status] += 1
        counts["type"][line.type] += 1
        counts["day"][line.created_at[:10]] += 1
        if line.endpoint:
            counts["endpoint"][line.endpoint] += 1
        if line.checkpoint:
            counts["checkpoint"][line.checkpoint] += 1
    known = [line for line in lines if line.cost is not None]
    costs: dict[str, float] = {}
    for line in known:
        costs[line.created_at[:10]] = costs.get(line.created_at[:10], 0.0) + (line.cost or 0.0)
    ordered = {name: dict(counter.most_common()) for name, counter in counts.items() if name != "day"}
    return Summary(
        jobs=len(lines),
        exact=exact,
        since=iso(ids.created_at(lines[-1].id)) if lines and not exact else None,
        by_day=dict(sorted(counts["day"].items())),
        by_status=ordered["status"],
        by_type=ordered["type"],
        by_endpoint=ordered["endpoint"],
        by_checkpoint=ordered["checkpoint"],
        run_seconds=round(sum(line.run_seconds or 0.0 for line in lines), 3),
        cost=round(sum(line.cost or 0.0 for line in known), 6),
        cost_unknown=sum(line.settled and line.status != CANCELLED and line.cost is None for line in lines),
        cost_estimated=sum(line.cost_estimated for line in lines),
        cost_by_day={day: round(cost, 6) for day, cost in sorted(costs.items())},
    )
