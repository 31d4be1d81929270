"""A page of the history as a file: CSV for spreadsheets, NDJSON for programs."""

import csv
import io
import json
from dataclasses import dataclass, field
from typing import Literal

from darkroom.jobs.api import JobLineOut, JobPage

Form = Literal["application/json", "text/csv", "application/x-ndjson"]
LINKS = frozenset({"thumbnail"})
"""Presigned links are valid for 15 minutes only, so a spreadsheet does not get them."""
COLUMNS = tuple(name for name in JobLineOut.model_fields if name not in LINKS)
"""The columns of CSV. NDJSON has the same fields in the same order, and the links."""
BOM = "\ufeff"
"""At the beginning of a file it tells Excel that the text is UTF-8."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_FORMS: dict[str, Form] = {
    "text/csv": "text/csv",
    "application/x-ndjson": "application/x-ndjson",
    "application/json": "application/json",
    "application/*": "application/json",
    "*/*": "application/json",
}


def form_of(accept: str | None) -> Form:
    """The form an Accept header likes best, the first of equals; JSON when it names none that there is."""
    best: Form = "application/json"
    highest = 0.0
    for part in (accept or "").lower().split(","):
        name, _, rest = part.partition(";")
        weight = _weight(rest)
        form = _FORMS.get(name.strip())
        if form and weight > highest:
            best, highest = form, weight
    return best


def _weight(parameters: str) -> float:
    """The q of a media range (RFC 9110, 12.5.1), 1 without one or with one that is no number."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 1.0
    return 1.0


@dataclass(frozen=True)
class PageFile:
    """A page in one form: the value of Content-Type, the body, and further headers."""

    content_type: str
    body: JobPage | str
    headers: dict[str, str] = field(default_factory=dict)


def render(page: JobPage, accept: str | None, first: bool) -> PageFile:
    """The page in the form that an Accept header asks for; `first` is whether it was asked for without a cursor.

    CSV and NDJSON come with a file name. The first page of CSV begins with a byte order mark, so that pages can be put
    one behind the other.
    """
    form = form_of(accept)
    if form == "text/csv":
        headers = {"Content-Disposition": 'attachment; filename="darkroom-jobs.csv"'}
        return PageFile("text/csv; charset=utf-8", (BOM if first else "") + to_csv(page), headers)
    if form == "application/x-ndjson":
        headers = {"Content-Disposition": 'attachment; filename="darkroom-jobs.ndjson"'}
        return PageFile(form, to_ndjson(page), headers)
    return PageFile(form, page)


def to_csv(page: JobPage) -> str:
    """The lines under a head line.

    A cell that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV injection).
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for line in page.jobs:
        writer.writerow([_cell(getattr(line, column)) for column in COLUMNS])
    return buffer.getvalue()


def to_ndjson(page: JobPage) -> str:
    """A JSON object a line, the same as in the JSON page."""
    return "".join(json.dumps(line.model_dump(mode="json"), ensure_ascii=False) + "\n" for line in page.jobs)


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, list):
        value = "; ".join(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
