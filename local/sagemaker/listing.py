"""Filters, order and pages of the List operations."""

import base64
import json
from typing import Any

from botocore.utils import parse_timestamp

from local.sagemaker.protocol import Document, refused

DEFAULT_PAGE = 10
"""Entries of a page when MaxResults is not given (documented for ListEndpoints)."""


def listed(
    parameters: Document, found: list[Document], kind: str, members: tuple[str, ...]
) -> tuple[list[Document], str | None]:
    """One page of summaries with those `members`, and the token of the next page (None at the end).

    `kind` is the prefix of the names of members (`Endpoint`: EndpointName, EndpointStatus). The token contains the sort
    key of the last entry, so entries that are created or deleted in between do not shift the pages.
    """
    name, status = f"{kind}Name", f"{kind}Status"
    sort = {"Name": name, "Status": status}.get(parameters.get("SortBy", ""), "CreationTime")
    downwards = parameters.get("SortOrder", "Descending") == "Descending"
    kept = [entry for entry in found if _matches(parameters, entry, name, status)]
    kept.sort(key=lambda entry: (entry[sort], entry[name]), reverse=downwards)
    if "NextToken" in parameters:
        position = _position(parameters["NextToken"])
        kept = [
            entry
            for entry in kept
            if ([entry[sort], entry[name]] < position if downwards else [entry[sort], entry[name]] > position)
        ]
    size = parameters.get("MaxResults", DEFAULT_PAGE)
    page = kept[:size]
    token = _token([page[-1][sort], page[-1][name]]) if len(kept) > size else None
    return [{member: entry[member] for member in members} for entry in page], token


def _matches(parameters: Document, entry: Document, name: str, status: str) -> bool:
    """Time limits are exclusive."""
    if parameters.get("NameContains", "") not in entry[name]:
        return False
    if parameters.get("StatusEquals", entry.get(status)) != entry.get(status):
        return False
    for time in ("CreationTime", "LastModifiedTime"):
        before, after = parameters.get(f"{time}Before"), parameters.get(f"{time}After")
        if before is not None and entry[time] >= _seconds(before):
            return False
        if after is not None and entry[time] <= _seconds(after):
            return False
    return True


def _seconds(timestamp: Any) -> float:
    return float(parse_timestamp(timestamp).timestamp())


def _token(position: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _position(token: str) -> list[Any]:
    try:
        when, name = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError) as error:
        raise refused("Invalid pagination token.") from error
    return [when, str(name)]


def paged(parameters: Document, found: list[Document], member: str, default: int) -> tuple[list[Document], str | None]:
    """One page of `found`, sorted by a member with unique values, and the token of the next page (None at the end).
    `default` is the size of a page when MaxResults is not given.
    """
    after = _position(parameters["NextToken"])[1] if "NextToken" in parameters else ""
    kept = sorted((entry for entry in found if entry[member] > after), key=lambda entry: str(entry[member]))
    size = parameters.get("MaxResults", default)
    return kept[:size], _token([member, kept[size - 1][member]]) if len(kept) > size else None
