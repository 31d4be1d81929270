"""The dashboard of a stage: what its jobs do, what its endpoints cost, and what goes wrong.

The names of Darkroom's own metrics stand here once more, as the stacks import no feature; a test compares them with
what functions write.
"""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from darkroom.settings import METRICS

_PERIOD = Duration.minutes(5)
_COLUMNS = 24
"""The width of a dashboard (CloudWatch User Guide, "Dashboard body structure and syntax")."""


class Dashboard(Construct):
    """One dashboard. Its name tells stage and region, for an account has its dashboards of all regions in one list."""

    def __init__(
        self,
        scope: Construct,
        stage: str,
        functions: Mapping[str, lambda_.Function],
        dead_letters: Mapping[str, sqs.Queue],
        api: apigateway.RestApi,
    ) -> None:
        super().__init__(scope, "Dashboard")
        self._stage = stage
        errors = [one.metric_errors(label=name, period=_PERIOD) for name, one in functions.items()]
        throttles = [one.metric_throttles(label=name, period=_PERIOD) for name, one in functions.items()]
        waiting = [
            queue.metric_approximate_number_of_messages_visible(label=name, statistic="max", period=_PERIOD)
            for name, queue in dead_letters.items()
        ]
        answers = [
            api.metric_server_error(label="5xx", statistic="sum", period=_PERIOD),
            api.metric_client_error(label="4xx", statistic="sum", period=_PERIOD),
        ]
        rows = (self._jobs(), self._endpoints(), [_graph("Dead letters", waiting), _graph("API: refusals", answers)])
        failing = [_graph("Functions: errors", errors), _graph("Functions: throttles", throttles)]
        name = f"Darkroom-{stage}-{Stack.of(self).region}"
        cloudwatch.Dashboard(self, "Stage", dashboard_name=name, widgets=[*rows, failing])

    def _jobs(self) -> list[cloudwatch.GraphWidget]:
        ends = [self._metric(f"jobs_{status}", status, "sum") for status in ("succeed", "fail", "cancelled")]
        waits, runs = (
            [self._metric(name, "median", "p50"), self._metric(name, "ninth decile", "p90")]
            for name in ("wait_seconds", "run_seconds")
        )
        return [
            _graph("Jobs by end", ends, of=3),
            _graph("Jobs: seconds without an instance", waits, of=3),
            _graph("Jobs: seconds at work", runs, of=3),
        ]

    def _endpoints(self) -> list[cloudwatch.GraphWidget]:
        oldest = self._metric("oldest_open_seconds", "oldest", "max", "jobs")
        awake = self._metric("awake", "endpoints", "max", "metering")
        dollars = self._metric("dollars_per_hour", "dollars an hour", "max", "metering")
        return [
            _graph("Oldest open job: age in seconds", [oldest], of=3),
            _graph("Endpoints awake", [awake], of=3),
            _graph("Endpoints: dollars an hour", [dollars], of=3),
        ]

    def _metric(self, name: str, label: str, statistic: str, of_round: str | None = None) -> cloudwatch.Metric:
        """A metric of Darkroom's own (`edge/metrics.py`); `of_round` names the round of a function that writes it."""
        dimensions = {"stage": self._stage} | ({"round": of_round} if of_round else {})
        return cloudwatch.Metric(
            namespace=METRICS,
            metric_name=name,
            dimensions_map=dimensions,
            label=label,
            statistic=statistic,
            period=_PERIOD,
        )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric], of: int = 2) -> cloudwatch.GraphWidget:
    """A graph that shares its row with others, `of` in all."""
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=_COLUMNS // of)
