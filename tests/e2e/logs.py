"""What the running stack has written down: the functions' logs, and those of the processes."""

from collections.abc import Iterable, Iterator
from typing import Any

from local.home import Home

NEVER = ("X-Amz-Signature", "x-amz-signature", "X-Amz-Security-Token", "AWS4-HMAC-SHA256", "Bearer ", "a pier")
"""What no log may hold, whatever a test did: signatures of links, forms and calls, keys as they are sent, and the
prompt of most tests."""


def lines(home: Home, cloudwatch: Any) -> Iterator[tuple[str, str]]:
    """Every line with the log it stands in."""
    for file in sorted(home.folder("logs").glob("*.log")):
        for line in file.read_text(errors="replace").splitlines():
            yield file.name, line
    for group in cloudwatch.get_paginator("describe_log_groups").paginate().search("logGroups[].logGroupName"):
        pages = cloudwatch.get_paginator("filter_log_events").paginate(logGroupName=group)
        for message in pages.search("events[].message"):
            yield group, message


def leaks(home: Home, cloudwatch: Any, secrets: Iterable[str]) -> list[str]:
    """Each line that holds a secret, or one of `NEVER`, cut around it."""
    sought = (*NEVER, *secrets)
    return [
        f"{log}: …{line[max(0, line.index(secret) - 60) : line.index(secret) + len(secret) + 20]}…"
        for log, line in lines(home, cloudwatch)
        for secret in sought
        if secret in line
    ]
