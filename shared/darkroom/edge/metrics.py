"""Metrics that functions count: a log line that CloudWatch turns into metrics (embedded metric format)."""

from collections.abc import Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from darkroom.settings import METRICS


def publish(dimensions: Mapping[str, str], values: Mapping[str, float], request_id: str | None = None) -> None:
    """Write values under these dimensions, and the request they are of if it is given. Metrics whose names end in
    `_seconds` are times, the others counts."""
    # The empty service keeps Powertools from adding a dimension of its own, with which no alarm would match.
    metrics = EphemeralMetrics(namespace=METRICS, service="")
    for name, which in dimensions.items():
        metrics.add_dimension(name, which)
    for what, value in values.items():
        metrics.add_metric(what, MetricUnit.Seconds if what.endswith("_seconds") else MetricUnit.Count, value)
    if request_id is not None:
        metrics.add_metadata("request_id", request_id)
    metrics.flush_metrics()
