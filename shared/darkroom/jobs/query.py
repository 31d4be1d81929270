"""Turns what people write in a query into what is compared: times and cursors into a range of ids, and spellings into
names."""

from dataclasses import replace

from darkroom import ids
from darkroom.checkpoints.resolver import ModelResolver
from darkroom.endpoints.service import Endpoints
from darkroom.errors import FieldError, Malformed
from darkroom.jobs.api import HistoryQuery
from darkroom.jobs.filters import Filters
from darkroom.jobs.periods import Period, period


def filters_of(query: HistoryQuery) -> Filters:
    """The filters of a query with its range of ids. Raises Malformed with the name of the field that is wrong."""
    low, high = time_range(query.from_, query.to)
    if query.before is not None:
        if not ids.is_id(query.before):
            raise _wrong("before", "is no job id: send the `next` of the page before")
        high = min(high, ids.before(query.before))
    return replace(query.filters, low=low, high=high)


def named(filters: Filters, resolver: ModelResolver, endpoints: Endpoints) -> Filters:
    """The filters with the names that their values mean: an endpoint as `POST /jobs` takes it, a model file in every
    spelling, whether or not it is there any more."""
    meant: dict[str, tuple[str, ...]] = {}
    if filters.endpoint:
        meant["endpoint"] = endpoints.names_meant(filters.endpoint)
    if filters.checkpoint:
        meant["checkpoint"] = resolver.files_meant("stable-diffusion", filters.checkpoint)
    if filters.lora:
        meant["lora"] = resolver.files_meant("lora", filters.lora)
    return replace(filters, meant=meant)


def time_range(start: str | None, end: str | None) -> tuple[str, str]:
    """The lowest and the highest id of a time range, both included: from the beginning of what `start` names to the end
    of what `end` names (`periods.period`). Raises Malformed with the name of the field that is wrong."""
    first = _period("from", start) if start is not None else None
    last = _period("to", end) if end is not None else None
    if first and last and last.end and first.start >= last.end:
        raise _wrong("from", "is after `to`")
    low = ids.first_of(first.start) if first else ids.LOWEST
    return low, ids.before(ids.first_of(last.end)) if last and last.end else ids.HIGHEST


def _period(name: str, text: str) -> Period:
    try:
        return period(text)
    except ValueError as error:
        raise _wrong(
            name,
            "is no date or time in ISO 8601, as 2026-01-31, 2026-01, 2026-W05 or 2026-01-31T18:00:00Z",
        ) from error


def _wrong(name: str, why: str) -> Malformed:
    return Malformed("invalid_request", f"`{name}` {why}.", (FieldError(("query", name), why),))
