"""`docs/openapi.json`, made from the handlers: `python -m functions.openapi`."""

import json
import sys
from typing import Any

from darkroom.edge.openapi import document
from functions.checkpoints_api.handler import app as checkpoints
from functions.costs_api.handler import app as costs
from functions.dead_letters_api.handler import app as dead_letters
from functions.endpoints_api.handler import app as endpoints
from functions.jobs_api.handler import app as jobs
from functions.keys_api.handler import app as keys


def text() -> str:
    """The document as it is committed: JSON with two spaces, in the order of the handlers."""
    merged: dict[str, Any] = document([jobs, endpoints, checkpoints, costs, keys, dead_letters])
    return json.dumps(merged, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
