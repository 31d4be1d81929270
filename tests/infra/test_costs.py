"""The page on costs is what templates and prices say."""

from collections.abc import Callable
from pathlib import Path

import pytest

from functions.scaler.handler import handler as scale
from functions.sweeper.handler import handler as sweep
from infra import costs
from infra.inventory import Endpoint, Inventory
from infra.versions import KEPT
from tests.infra.conftest import Synthesized
from tests.support.http import Context
from tests.support.lines import written
from tests.support.stage import moto_stage

PAGE = Path(__file__).resolve().parents[2] / "docs" / "costs.md"


def test_the_page_is_written_by_make_costs(prod: Synthesized, strict: Synthesized) -> None:
    lines = [costs.idle(stage, (of.data, of.service)) for stage, of in ((costs.PLAIN, prod), (costs.DEAR, strict))]
    assert costs.text(*lines) == PAGE.read_text()


def test_a_setting_that_costs_is_a_line(prod: Synthesized, strict: Synthesized) -> None:
    plain = {line.what: line for line in costs.idle(prod.stage, (prod.data, prod.service))}
    dear = {line.what: line for line in costs.idle(strict.stage, (strict.data, strict.service))}
    assert {what.split("`")[1] for what in dear.keys() - plain.keys()} == {"customer_key", "waf", "snap_start"}
    # 1 GB for a month, of each version that is kept.
    (snapshots,) = (line for what, line in dear.items() if "snap_start" in what)
    assert round(snapshots.each, 2) == 3.95
    assert snapshots.count % KEPT == 0


@pytest.mark.parametrize(("handler", "number"), [(sweep, costs.ROUND_METRICS), (scale, costs.MINUTE_METRICS)])
def test_the_rounds_write_as_many_metrics_as_are_paid(handler: Callable[..., None], number: int) -> None:
    with moto_stage(), written() as lines:
        handler({}, Context())
    metrics = {
        (line["round"], entry["Name"])
        for line in lines
        if "_aws" in line
        for entry in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }
    assert len(metrics) == number


def test_what_runs_is_counted_by_its_instances_and_bytes() -> None:
    found = Inventory(
        endpoints=(Endpoint("a", "InService", "ml.g5.xlarge", 2), Endpoint("b", "InService", "ml.g5.xlarge", 0)),
        objects={"pictures": (3, 2_000_000_000)},
    )
    months = [round(line.month, 2) for line in costs.running(found, {"ml.g5.xlarge": 1.0})]
    assert months == [1460.0, 0.0, 0.05]
