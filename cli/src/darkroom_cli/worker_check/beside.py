"""What stands beside a result: it never fails a job, and Darkroom leaves out what is not of its shape."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from darkroom_cli.worker_check import contract

_SHA256 = re.compile(r"[0-9a-f]{64}")


def wrong_timings(timings: object, wall: float) -> Iterator[str]:
    """What is wrong with the `timings` of an answer that took `wall` seconds."""
    if not isinstance(timings, dict):
        yield "`timings` is no object"
        return
    for name in contract.TIMINGS:
        seconds = timings.get(name)
        if seconds is None:
            continue
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
            yield f"`{name}` is no number"
        elif not 0 <= seconds <= contract.MOST_BUSY_SECONDS:
            yield f"`{name}` is {seconds}: no job takes that long"
        elif seconds > wall + 1:
            yield f"`{name}` is {seconds} seconds, and the whole answer took {wall:.1f}"
    if not any(timings.get(name) is not None for name in ("run", "model", "download", "load")):
        yield "it tells nothing that the job can be charged for (`run`, `download`, `load`)"


def wrong_notices(notices: object) -> Iterator[str]:
    """What is wrong with the `notices` of an answer."""
    if not isinstance(notices, list):
        yield "`notices` is no list"
        return
    if any(not isinstance(notice, str) or not notice.strip() for notice in notices):
        yield "a notice is no text"
    if len(notices) > contract.MAX_NOTICES:
        yield f"there are {len(notices)} notices; Darkroom keeps {contract.MAX_NOTICES}"
    if any(isinstance(notice, str) and len(notice.encode()) > contract.MAX_NOTICE for notice in notices):
        yield f"a notice has more than {contract.MAX_NOTICE} bytes"


def wrong_components(components: object) -> Iterator[str]:
    """What is wrong with the `components` of an answer."""
    if not isinstance(components, dict):
        yield "`components` is no object"
        return
    for name in ("engine", "version", "attention", "precision"):
        if not _is_word(components.get(name), contract.MAX_WORD):
            yield f"`{name}` is no text of at most {contract.MAX_WORD} characters"
    files = components.get("files", [])
    if not isinstance(files, list):
        yield "`files` is no list"
        return
    for file in files:
        yield from _wrong_file(file)
    if len(json.dumps(components).encode()) > contract.MAX_COMPONENT_BYTES:
        yield "it has more than 12 KB"


def wrong_machine(machine: object) -> Iterator[str]:
    """What is wrong with the `machine` of an answer."""
    if not isinstance(machine, dict):
        yield "`machine` is no object"
        return
    for name in ("instance_type", "gpu"):
        if not _is_word(machine.get(name), contract.MAX_WORD):
            yield f"`{name}` is no text of at most {contract.MAX_WORD} characters"
    cpus = machine.get("cpus")
    if cpus is not None and (type(cpus) is not int or not 1 <= cpus <= contract.MAX_CPUS):
        yield f"`cpus` is {cpus!r}, and must be a number from 1 to {contract.MAX_CPUS:,}"


def wrong_state(state: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the body of `/ping`, as far as it names fields of the contract."""
    if "ready" in state and not isinstance(state["ready"], bool):
        yield "`ready` is neither true nor false"
    for name in ("engine", "device"):
        if not (state.get(name) is None or isinstance(state[name], str)):
            yield f"`{name}` is no text"
    models = state.get("models_loaded", [])
    if not isinstance(models, list) or not all(isinstance(name, str) for name in models):
        yield "`models_loaded` is no list of names"


def wrong_progress(message: str, job_id: str) -> Iterator[str]:
    """What is wrong with a message of progress."""
    try:
        document = json.loads(message)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        yield f"it is no JSON object: {message[:60]!r}"
        return
    if document.get("event") != "darkroom.progress":
        yield f"`event` is {document.get('event')!r}, and must be 'darkroom.progress'"
    if told := sorted(contract.RESULT_FIELDS & document.keys()):
        yield f"it tells a result ({', '.join(told)}), and is refused"
    if document.get("job_id") != job_id:
        yield f"`job_id` is {document.get('job_id')!r}, and the job is {job_id}"
    share = document.get("progress")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        yield f"`progress` is {share!r}, and must be a number from 0 to 1"
    started = document.get("started_at")
    if not isinstance(started, str) or not 0 < len(started) <= 40:
        yield f"`started_at` is {started!r}, and must be a time such as 2026-01-01T00:00:00Z"


def _wrong_file(file: object) -> Iterator[str]:
    if not isinstance(file, dict):
        yield "an entry of `files` is no object"
        return
    for name, longest in (("kind", contract.MAX_WORD), ("name", contract.MAX_FILE_NAME)):
        if file.get(name) is None or not _is_word(file[name], longest):
            yield f"`{name}` of a file is no text of at most {longest} characters"
    sha256 = file.get("sha256")
    if sha256 is not None and not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        yield "`sha256` of a file is no SHA-256 in hex with small letters"
    if not _is_word(file.get("etag"), contract.MAX_WORD):
        yield f"`etag` of a file is no text of at most {contract.MAX_WORD} characters"


def _is_word(value: object, longest: int) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= longest)
