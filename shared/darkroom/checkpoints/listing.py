"""Listing the shelf, page by page."""

from collections.abc import Callable

from darkroom.checkpoints.api import CheckpointList, CheckpointOut
from darkroom.checkpoints.model import KINDS, Checkpoint, Kind
from darkroom.checkpoints.ports import ModelRegistry
from darkroom.errors import FieldError, Malformed
from darkroom.words import folded


def page(
    registry: ModelRegistry,
    kind: Kind | None,
    q: str | None,
    after: str | None,
    limit: int,
    seen: Callable[[list[Checkpoint]], None],
) -> CheckpointList:
    """Up to `limit` rows of one kind or of all (None), ordered by kind and name; one Query for each kind.

    `after` is the `next` of the page before. `q` is searched for in names and aliases, whatever the case; a page may
    then be short and still have a `next`. `seen` gets the rows that were read. Raises Malformed when
    `after` is not of such a list.
    """
    kinds, start = _start_of(kind, after)
    rows: list[Checkpoint] = []
    for number, each in enumerate(kinds):
        listed = registry.page(each, start, limit - len(rows))
        rows += listed.rows
        seen(listed.rows)
        start = None
        if listed.after is not None or (len(rows) == limit and number < len(kinds) - 1):
            following = f"{each}/{listed.after or rows[-1].key.name}"
            return CheckpointList(checkpoints=_matching(rows, q), next=following)
    return CheckpointList(checkpoints=_matching(rows, q), next=None)


def _start_of(kind: Kind | None, after: str | None) -> tuple[list[Kind], str | None]:
    """The kinds to list, and the name in the first of them that the page begins after."""
    kinds = [kind] if kind else list(KINDS)
    if after is None:
        return kinds, None
    head, slash, name = after.partition("/")
    if not slash or head not in kinds or not name:
        why = "is no place in this list: send the `next` of the page before"
        raise Malformed("invalid_request", f"`after` {why}.", (FieldError(("query", "after"), why),))
    return kinds[kinds.index(head) :], name


def _matching(rows: list[Checkpoint], q: str | None) -> list[CheckpointOut]:
    """The rows whose name or alias contains `q`, whatever the case."""
    text = folded(q or "")
    return [CheckpointOut.of(row) for row in rows if any(text in folded(name) for name in (row.key.name, *row.aliases))]
