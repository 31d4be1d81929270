"""Rounds of the sweeper and of the scaler: each gets a share of the time, one log line, and metrics."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from darkroom import logs
from darkroom.edge.log import logger
from darkroom.edge.metrics import publish

RESERVE_SECONDS = 15.0
"""How many seconds of the function's time are left when the last round must stop."""

RoundResult = Mapping[str, float | list[str]]
"""What a round did: numbers, or the names of what somebody must look at, each under the name of its metric."""
Round = Callable[[Callable[[], float]], RoundResult]
"""A round is called with a function that gives the seconds it has left."""


class RoundsFailed(Exception):
    """Some rounds failed, or could not handle everything they found; the text names the rounds."""


def run(rounds: Mapping[str, Round], context: Any, stage: str) -> None:
    """Call each round. The time that one does not use goes to the rounds after it, and a failed round stops no other.

    `stage` becomes a dimension of the metrics, for an account may have several stages. Raises RoundsFailed when all
    rounds were called and some failed, so that the function's alarm rings.
    """
    failed = []
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    with logs.request(context.aws_request_id):
        for number, (name, call) in enumerate(rounds.items()):
            started = time.monotonic()
            counts = _carry_out(name, call, started, started + (deadline - started) / (len(rounds) - number))
            publish({"stage": stage, "round": name}, counts, context.aws_request_id)
            if counts["failed"]:
                failed.append(name)
            elif counts["broken"]:
                failed.append(f"{name} (broken: {counts['broken']})")
    if failed:
        raise RoundsFailed(", ".join(failed))


def _carry_out(name: str, call: Round, started: float, until: float) -> dict[str, float]:
    """Call one round and write its log line; returns its counts. `started` and `until` are monotonic seconds."""
    try:
        result = call(lambda: until - time.monotonic())
    except Exception as error:
        logger().error("round failed", extra={"round": name, "error": type(error).__name__})
        return {"failed": 1}
    which = {what: names for what, names in result.items() if isinstance(names, list) and names}
    counts = {what: len(count) if isinstance(count, list) else count for what, count in result.items()}
    counts = {"broken": 0, **counts, "failed": 0}
    milliseconds = round((time.monotonic() - started) * 1000)
    logger().info("round", extra={"round": name, "milliseconds": milliseconds, "which": which, **counts})
    return counts
