"""The examples of docs/worker-contract.md are understood by the code."""

import json
import re
from typing import Any

from darkroom.jobs.answers import understand
from darkroom.jobs.contract import Progress, WorkRequest
from darkroom.jobs.events import parse
from local.home import ROOT

EXAMPLES: list[dict[str, Any]] = [
    json.loads(block)
    for block in re.findall(r"^```json\n(.*?)^```", (ROOT / "docs" / "worker-contract.md").read_text(), re.M | re.S)
]


def test_every_example_of_the_page_is_a_valid_message() -> None:
    request, answer, progress = EXAMPLES
    work = WorkRequest.model_validate(request)
    assert work.model_dump(mode="json", exclude_unset=True) == request
    understood = understand(work.job_id, json.dumps(answer).encode())
    assert understood.error is None
    assert [image.key for image in understood.images] == [answer["images"][0]["key"]]
    assert isinstance(parse(json.dumps(progress)), Progress)
