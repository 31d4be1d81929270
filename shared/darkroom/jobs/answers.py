"""Reads a worker's answer, in any of these forms.

The manifest of `contract.WorkAnswer`; a plain answer of the WebUI with pictures inside, or with a caption; or an error
in one of several forms. Anything else is an answer that cannot be used, and the job fails with a reason that a person
can read.
"""

from typing import Any

from pydantic import ValidationError

from darkroom.jobs.answer import Answer, Unusable, bad_answer
from darkroom.jobs.contract import WorkAnswer
from darkroom.jobs.json_text import clean_json
from darkroom.jobs.manifests import read_manifest
from darkroom.jobs.reported_errors import plain_error, reported_error
from darkroom.jobs.webui_answers import is_webui, read_webui


def understand(job_id: str, content: bytes) -> Answer:
    """What the bytes of an answer say about a job; never raises for what they hold."""
    document = _document(content)
    if document is None:
        return bad_answer("it is no JSON object")
    if reported := reported_error(document):
        beside = WorkAnswer.model_validate({name: document.get(name) for name in ("timings", "machine")})
        return Answer(error=reported, timings=beside.timings, machine=beside.machine)
    try:
        return read_webui(document) if is_webui(document) else read_manifest(job_id, document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return bad_answer(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    except Unusable as error:
        return bad_answer(str(error))


def words_of_failure(content: bytes, reason: str | None) -> str | None:
    """What a container said that failed and whose words are no JSON object; None when it said nothing more than
    SageMaker's `reason`."""
    words = plain_error(content) if _document(content) is None else None
    return None if words == (reason or "").strip() else words


def _document(content: bytes) -> dict[str, Any] | None:
    """The JSON object in the bytes, None when there is none."""
    try:
        document = clean_json(content)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
