"""JSON that came from outside, as it can be kept."""

import json
from typing import Any


def clean_json(content: bytes | str) -> Any:
    """JSON that can be written again wherever it goes: half surrogate pairs become `?`, NaN and Infinity null.

    Raises ValueError or RecursionError for what is no JSON.
    """
    text = json.dumps(json.loads(content), ensure_ascii=False).encode(errors="replace")
    return json.loads(text, parse_constant=lambda _: None)
