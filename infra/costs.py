"""What a stage costs while nobody uses it, worked out from its templates and the prices in `prices.json`.

`python -m infra.costs` prints docs/costs.md.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infra.inventory import Inventory
from infra.stage import NO_PACKAGE, Stage
from infra.versions import KEPT

PRICES = Path(__file__).with_name("prices.json")
ROUND_METRICS, MINUTE_METRICS = 19, 12
"""How many metrics a round of the sweeper and one of the scaler write in all, with endpoints, even where nothing
happens; a test counts them."""
JOB_METRICS = 5
"""How many metrics the ends of jobs are told with; one is paid in a month in which it was written."""
DEAR = Stage(name="prod", worker_package=NO_PACKAGE, waf=True, customer_key=True, snap_start=True)
PLAIN = Stage(name="prod", worker_package=NO_PACKAGE)


@dataclass(frozen=True)
class Line:
    """One thing that is paid by the month: how many of it, and US dollars for one."""

    what: str
    count: float
    each: float

    @property
    def month(self) -> float:
        """US dollars a month."""
        return self.count * self.each


@cache
def prices() -> Mapping[str, Any]:
    """The price list."""
    told: Mapping[str, Any] = json.loads(PRICES.read_text(encoding="utf-8"))
    return told


def idle(stage: Stage, templates: Sequence[Mapping[str, Any]]) -> list[Line]:
    """What the resources of these templates cost in a month without a request. Left out is what an idle stage has next
    to nothing of: objects, rows and logs."""
    resources = [one for template in templates for one in template["Resources"].values()]
    price, assumed = prices(), prices()["assumed"]

    def count(kind: str) -> int:
        return sum(one["Type"] == f"AWS::{kind}" for one in resources)

    sweeps = assumed["sweeps_an_hour"] * price["month_hours"]
    scales = assumed["scales_an_hour"] * price["month_hours"]
    compute = stage.memory_mb / 1024 * price["lambda_gb_second"][stage.architecture]
    polls = assumed["polls_a_minute"] * 60 * price["month_hours"]
    rules = sum(len(one["Properties"]["Rules"]) for one in resources if one["Type"] == "AWS::WAFv2::WebACL")
    snapshots = sum("SnapStart" in one.get("Properties", {}) for one in resources) * KEPT
    snapshot = stage.memory_mb / 1024 * 3600 * price["month_hours"] * price["snapshot_gb_second"]
    found = [
        Line("metrics of the sweeper", ROUND_METRICS, price["metric_month"]),
        Line("metrics of the scaler", MINUTE_METRICS, price["metric_month"]),
        Line("the dashboard", count("CloudWatch::Dashboard"), price["dashboard_month"]),
        Line("alarms", count("CloudWatch::Alarm"), price["alarm_month"]),
        Line("reading empty queues, each", count("Lambda::EventSourceMapping"), polls * price["sqs_request"]),
        Line("the secret of the first key", count("SecretsManager::Secret"), price["secret_month"]),
        Line("the sweeper's calls", sweeps, price["lambda_request"] + assumed["sweep_seconds"] * compute),
        Line("the scaler's calls", scales, price["lambda_request"] + assumed["scale_seconds"] * compute),
        Line("`customer_key`: the key", count("KMS::Key"), price["key_month"]),
        Line("`waf`: the firewall", count("WAFv2::WebACL"), price["firewall_month"]),
        Line("`waf`: its rules", rules, price["firewall_rule_month"]),
        Line("`snap_start`: snapshots of the versions that are kept", snapshots, snapshot),
    ]
    return [line for line in found if line.count]


def running(found: Inventory, hourly: Mapping[str, float]) -> Iterator[Line]:
    """What endpoints and stored things of a stage cost in a month, if they stay as they are. Types without a price in
    `hourly` are left out."""
    for one in found.endpoints:
        if one.instance_type in hourly:
            each = hourly[one.instance_type] * prices()["month_hours"]
            yield Line(f"endpoint {one.name}, {one.instance_type}", one.instances, each)
    for bucket, (_, size) in found.objects.items():
        yield Line(f"GB in {bucket}", size / 1e9, prices()["s3_gb_month"])


def text(plain: Sequence[Line], dear: Sequence[Line]) -> str:
    """The page, from the lines of a stage as it ships and of one with all settings that cost."""
    price, assumed = prices(), prices()["assumed"]
    head = f"""# What a stage costs when nobody uses it

`make costs` works this out from the templates of a stage called `prod` and the prices in `infra/prices.json`:
{price["source"]}.
They are of {price["region"]}, as of {price["date"]}. Nobody has compared them with a bill yet. Correct the file for
your region.

| what | how many | each, $ | a month, $ |
| --- | --- | --- | --- |
"""
    lines = [f"| {one.what} | {one.count:g} | {_dollars(one.each)} | {one.month:.2f} |" for one in plain]
    lines.append(f"| **as it ships** | | | **{sum(one.month for one in plain):.2f}** |")
    more = [one for one in dear if one.what not in {known.what for known in plain}]
    lines += [f"| {one.what} | {one.count:g} | {_dollars(one.each)} | {one.month:.2f} |" for one in more]
    return (
        head
        + "\n".join(lines)
        + f"""

Assumed is that Lambda asks an empty queue {assumed["polls_a_minute"]} times a minute, that a round of the sweeper takes
{assumed["sweep_seconds"]} second, and one of the scaler {assumed["scale_seconds"]}. In a month with jobs, {JOB_METRICS}
metrics more are written about their ends, at {price["metric_month"]:.2f} dollars each. Of mails about alarms
(`alarm_email`) 100,000 cost {price["mails_100000"]:.2f} dollars. With `snap_start` each start of a function behind the
API costs
{price["snapshot_restored_gb"]:.5f} dollars for each GB of its memory besides. An endpoint is billed by the second for
every instance that it has, at the rate of its type; one that sleeps has none. Model files cost {price["s3_gb_month"]}
dollars a month for each GB, rows of jobs {price["dynamodb_gb_month"]}.
"""
    )


def _dollars(amount: float) -> str:
    return f"{amount:.2f}" if amount >= 0.01 else f"{amount:.2g}"


def page() -> str:
    """docs/costs.md."""
    return text(*(idle(stage, _templates(stage)) for stage in (PLAIN, DEAR)))


def _templates(stage: Stage) -> list[Mapping[str, Any]]:
    # Not above: importing the CDK starts Node, which takes seconds, and `destroy` needs the prices alone.
    from aws_cdk.assertions import Template

    from infra.stacks import described

    with described(stage) as stacks:
        return [Template.from_stack(stack).to_json() for stack in stacks]


if __name__ == "__main__":
    sys.stdout.write(page())
