"""Rounds behind a schedule: each within its share of the time, each told in one log line that is a metric too."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger

from darkroom.settings import METRICS

RESERVE_SECONDS = 15.0
"""What is left of the function's time when the last round must stop."""

Round = Callable[[Callable[[], float]], Mapping[str, int | list[str]]]


class RoundsFailed(Exception):
    """Some rounds failed, or left things they could not look at; the text names them."""


def run(rounds: Mapping[str, Round], context: Any, stage: str) -> None:
    """Call each with the seconds it may still take; what one leaves of its share goes to the others.

    `stage` tells the metrics of several stages in one account apart. A round that fails stops none of the others.
    Raises RoundsFailed at the end, so that the function's alarm rings.
    """
    logger = Logger()
    failed = []
    ends = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    for number, (name, act) in enumerate(rounds.items()):
        started = time.monotonic()
        until = started + (ends - started) / (len(rounds) - number)
        try:
            done = act(lambda until=until: until - time.monotonic())  # type: ignore[misc]
        except Exception as error:
            logger.error("round failed", extra={"error": type(error).__name__, **_metrics(stage, name, {"failed": 1})})
            failed.append(name)
            continue
        which = {what: names for what, names in done.items() if isinstance(names, list) and names}
        counts = {what: count if isinstance(count, int) else len(count) for what, count in done.items()}
        counts = {"broken": 0, **counts, "failed": 0}
        milliseconds = round((time.monotonic() - started) * 1000)
        extra = {
            "milliseconds": milliseconds,
            "which": which,
            **_metrics(stage, name, counts),
        }
        logger.info("round", extra=extra)
        if counts["broken"]:
            failed.append(f"{name} (broken: {counts['broken']})")
    if failed:
        raise RoundsFailed(", ".join(failed))


def _metrics(stage: str, name: str, counts: Mapping[str, int]) -> dict[str, Any]:
    """Counts as CloudWatch's embedded metric format wants them at the root of a log line: no call, no library."""
    return {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": METRICS,
                    "Dimensions": [["stage", "round"]],
                    "Metrics": [{"Name": what, "Unit": "Count"} for what in counts],
                }
            ],
        },
        "stage": stage,
        "round": name,
        **counts,
    }
