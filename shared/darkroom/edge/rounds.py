"""Rounds behind a schedule: each within its share of the time, each told in a log line and in metrics."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from darkroom import logs
from darkroom.edge.log import logger
from darkroom.settings import METRICS

RESERVE_SECONDS = 15.0
"""What is left of the function's time when the last round must stop."""

Done = Mapping[str, int | list[str]]
Round = Callable[[Callable[[], float]], Done]


class RoundsFailed(Exception):
    """Some rounds failed, or left things they could not look at; the text names them."""


def run(rounds: Mapping[str, Round], context: Any, stage: str) -> None:
    """Call each with the seconds it may still take; what one leaves of its share goes to the others.

    `stage` tells the metrics of several stages in one account apart. A round that fails stops none of the others.
    Raises RoundsFailed at the end, so that the function's alarm rings.
    """
    failed = []
    ends = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    with logs.request(context.aws_request_id):
        for number, (name, act) in enumerate(rounds.items()):
            started = time.monotonic()
            counts = _carry_out(name, act, started, started + (ends - started) / (len(rounds) - number))
            _publish({"stage": stage, "round": name}, counts, context.aws_request_id)
            if counts["failed"]:
                failed.append(name)
            elif counts["broken"]:
                failed.append(f"{name} (broken: {counts['broken']})")
    if failed:
        raise RoundsFailed(", ".join(failed))


def _carry_out(name: str, act: Round, started: float, until: float) -> dict[str, int]:
    """One round with its log line; returns how often it did what."""
    try:
        done = act(lambda: until - time.monotonic())
    except Exception as error:
        logger().error("round failed", extra={"round": name, "error": type(error).__name__})
        return {"failed": 1}
    which = {what: names for what, names in done.items() if isinstance(names, list) and names}
    counts = {what: count if isinstance(count, int) else len(count) for what, count in done.items()}
    counts = {"broken": 0, **counts, "failed": 0}
    milliseconds = round((time.monotonic() - started) * 1000)
    logger().info("round", extra={"round": name, "milliseconds": milliseconds, "which": which, **counts})
    return counts


def _publish(dimensions: Mapping[str, str], counts: Mapping[str, int], request_id: str) -> None:
    """Write the counts as a line that CloudWatch reads as metrics."""
    # Without an empty service Powertools adds the function's name to the dimensions, and no alarm would match.
    metrics = EphemeralMetrics(namespace=METRICS, service="")
    for name, value in dimensions.items():
        metrics.add_dimension(name, value)
    for what, count in counts.items():
        metrics.add_metric(what, MetricUnit.Count, count)
    metrics.add_metadata("request_id", request_id)
    metrics.flush_metrics()
