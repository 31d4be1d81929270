"""The list of inference jobs: pages and filters."""

import re
from dataclasses import dataclass, field
from typing import Any, get_args

from darkroom_client import Darkroom
from darkroom_client.answers import JobType, Status

NEWEST = 10
"""Jobs that the list shows at first."""
PAGE = 25
"""Jobs on a page of Show All."""
_ID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$")
TYPES, STATUSES = get_args(JobType), get_args(Status)


@dataclass(frozen=True)
class Search:
    """What the list shows. It belongs to one browser, which gets it and sends it back.

    `cursors` are where the pages up to this one begin; None is the newest job.
    """

    every: bool = False
    filters: "dict[str, Any]" = field(default_factory=dict)
    cursors: "tuple[str | None, ...]" = (None,)

    def first(self, **changes: Any) -> "Search":
        """The first page of the same search, with these changes."""
        return Search(**{"every": self.every, "filters": self.filters, **changes})

    def earlier(self) -> "Search":
        """The page before, or this one if it is the first."""
        return Search(self.every, self.filters, self.cursors[:-1] or (None,))


@dataclass(frozen=True)
class Found:
    """A page: the lines to choose from, and the search for the page after it, None on the last one."""

    search: Search
    labels: "list[str]"
    later: "Search | None"


def filters_of(
    types: "list[str]", statuses: "list[str]", endpoint: str, checkpoint: str, since: str, until: str, words: str
) -> "dict[str, Any]":
    """The filters as the client takes them; what is empty filters nothing."""
    said = {"type": types, "status": statuses, "endpoint": endpoint, "checkpoint": checkpoint}
    said |= {"from_": since, "to": until, "q": words}
    trimmed = {name: value.strip() if isinstance(value, str) else value for name, value in said.items()}
    return {name: value for name, value in trimmed.items() if value}


def page(client: Darkroom, search: Search) -> Found:
    """The jobs of a search. A page may come back short although there are more, so it is filled up."""
    wanted = PAGE if search.every else NEWEST
    labels: list[str] = []
    before = search.cursors[-1]
    while True:
        answer = client.page(limit=wanted - len(labels), before=before, **search.filters)
        labels += [line["label"] for line in answer["jobs"]]
        before = answer["next"]
        if before is None or len(labels) >= wanted:
            break
    later = Search(search.every, search.filters, (*search.cursors, before)) if before and search.every else None
    return Found(search, labels, later)


def job_id(label: "str | None") -> "str | None":
    """The id in a line of the list, or an id itself; None when there is none."""
    match = _ID.search(label.strip()) if isinstance(label, str) else None
    return match[1] if match else None
