"""What the functions write down, line by line."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, cast

from darkroom.edge.log import logger


@contextmanager
def written() -> Iterator[list[dict[str, Any]]]:
    """The log lines of what is done in the block, as objects, and the metrics among them; there once it ends."""
    lines: list[dict[str, Any]] = []
    text = io.StringIO()
    handler = cast(logging.StreamHandler[Any], logger().registered_handler)
    before = handler.setStream(text)
    try:
        with redirect_stdout(text):
            yield lines
    finally:
        handler.setStream(before or io.StringIO())
        lines += [json.loads(line) for line in text.getvalue().splitlines()]
