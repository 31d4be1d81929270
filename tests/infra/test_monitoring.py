"""Alarms that reach somebody, with an entry in the runbook for each, and a dashboard of metrics that are written."""

import contextlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from darkroom.settings import METRICS
from darkroom_cli.main import app
from functions.scaler.handler import handler as scale
from functions.sweeper.handler import handler as sweep
from infra import costs, operators
from infra.functions import FUNCTIONS
from infra.inventory import Inventory, Resource
from infra.removal import listed as listing
from tests.infra.conftest import Synthesized
from tests.infra.test_permissions import listed
from tests.support.events import completed, deliver, failed, manifest, put_picture
from tests.support.http import Context, call
from tests.support.lines import written
from tests.support.stage import moto_stage

RUNBOOK = (Path(__file__).resolve().parents[2] / "docs" / "runbook.md").read_text()
JOB = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a lighthouse"}}


def alarms(stage: Synthesized) -> dict[str, dict[str, Any]]:
    """The alarms of a stage by the name of their entry, as a mail about them tells it."""
    found = {}
    for alarm in stage.resources("AWS::CloudWatch::Alarm").values():
        what, told, name = alarm["AlarmDescription"].partition(". What to do: docs/runbook.md, ")
        assert what
        assert told
        found[name] = alarm
    return found


def test_every_alarm_has_an_entry_in_the_runbook_and_every_entry_an_alarm(prod: Synthesized) -> None:
    headings = re.findall(r"^### `(\w+)`$", RUNBOOK, re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", RUNBOOK, re.MULTILINE)
    assert sorted([*headings, *rows]) == sorted(alarms(prod))


def test_every_entry_says_what_it_means_how_to_look_and_what_to_do() -> None:
    for entry in re.split(r"^### ", RUNBOOK, flags=re.MULTILINE)[1:]:
        text = re.split(r"^## ", entry, flags=re.MULTILINE)[0]
        assert re.findall(r"^- \*\*(\w+):\*\* ", text, re.MULTILINE) == ["Means", "Look", "Do"], entry.splitlines()[0]


def test_the_alarms_name_is_the_end_of_its_id(prod: Synthesized) -> None:
    """CloudFormation makes the alarm's own name of the id, and people look for the entry by that name."""
    ids = prod.resources("AWS::CloudWatch::Alarm")
    for name, alarm in alarms(prod).items():
        (logical,) = (one for one, found in ids.items() if found is alarm)
        assert logical.startswith(f"Monitoring{name.replace('_', '')}")


def told(program: str) -> Iterator[list[str]]:
    """The commands of a program that the runbook names, word by word."""
    quoted = re.findall(r"`([^`\n]+)`", RUNBOOK)
    lines = re.findall(r"^\$ (\w.*)$", RUNBOOK, re.MULTILINE)
    yield from (line.split() for line in (*quoted, *lines) if line.startswith(f"{program} "))


def test_the_commands_of_the_runbook_exist() -> None:
    commands = list(told("darkroom"))
    assert len(commands) > 10
    for words in commands:
        command: Any = get_command(app)
        rest = words[1:]
        while hasattr(command, "commands"):
            assert rest, words
            assert rest[0] in command.commands, words
            command, rest = command.commands[rest[0]], rest[1:]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= options, words


def test_the_commands_of_those_who_deploy_exist() -> None:
    commands = list(told("python -m infra.stage"))
    assert commands
    for words in commands:
        with pytest.raises(SystemExit) as asked, contextlib.redirect_stdout(io.StringIO()):
            operators.main([words[3], "--help"])
        assert asked.value.code == 0, words


def test_without_a_setting_alarms_are_only_seen(prod: Synthesized) -> None:
    assert [alarm for alarm in alarms(prod).values() if "AlarmActions" in alarm] == []
    # The one topic is that of results.
    assert len(prod.resources("AWS::SNS::Topic")) == 1


def test_every_alarm_goes_to_the_topic_that_the_operator_names(dev: Synthesized) -> None:
    assert dev.stage.alarm_topic
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms(dev).values()} == {(dev.stage.alarm_topic,)}
    assert len(dev.resources("AWS::SNS::Topic")) == 1


def test_every_alarm_is_mailed_by_a_topic_that_cloudwatch_alone_may_publish_to(strict: Synthesized) -> None:
    (topic,) = (name for name in strict.resources("AWS::SNS::Topic") if name.startswith("Alarms"))
    assert {json.dumps(alarm["AlarmActions"]) for alarm in alarms(strict).values()} == {json.dumps([{"Ref": topic}])}
    (mail,) = (one for one in strict.resources("AWS::SNS::Subscription").values() if one["Protocol"] == "email")
    assert (mail["TopicArn"], mail["Endpoint"]) == ({"Ref": topic}, strict.stage.alarm_email)
    (policy,) = (p for p in strict.resources("AWS::SNS::TopicPolicy").values() if p["Topics"] == [{"Ref": topic}])
    statements = policy["PolicyDocument"]["Statement"]
    (allowed,) = (one for one in statements if one["Effect"] == "Allow")
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert "alarm:*" in json.dumps(allowed["Condition"]["ArnLike"])
    assert [one["Condition"] for one in statements if one["Effect"] == "Deny"] == [
        {"Bool": {"aws:SecureTransport": "false"}}
    ]


def test_cloudwatch_may_use_the_customers_key_where_it_publishes_and_nowhere_else(
    strict: Synthesized, prod: Synthesized
) -> None:
    (key,) = strict.resources("AWS::KMS::Key").values()
    (allowed,) = (s for s in key["KeyPolicy"]["Statement"] if "cloudwatch.amazonaws.com" in json.dumps(s["Principal"]))
    assert {"kms:Decrypt", "kms:GenerateDataKey"} == set(listed(allowed["Action"]))
    assert not prod.resources("AWS::KMS::Key")


def drawn(stage: Synthesized) -> list[tuple[str, str, dict[str, Any]]]:
    """The metrics of the dashboard: namespace, name and dimensions."""
    (dashboard,) = stage.resources("AWS::CloudWatch::Dashboard").values()
    parts = dashboard["DashboardBody"]["Fn::Join"][1]
    body = json.loads("".join(part if isinstance(part, str) else json.dumps(part).replace('"', "'") for part in parts))
    found = []
    for widget in body["widgets"]:
        before: list[Any] = []
        for line in widget["properties"]["metrics"]:
            words = [word for word in line if not isinstance(word, dict)]
            # "." is the word of the line before at the same place.
            before = [old if word == "." else word for word, old in zip(words, before or words, strict=False)]
            found.append((before[0], before[1], dict(zip(before[2::2], before[3::2], strict=True))))
    return found


def emitted() -> dict[str, set[str]]:
    """The metrics that functions write while jobs end, and the sweeper and the scaler go round: their names, with the
    dimensions."""
    with moto_stage(), written() as lines:
        ids = [call("POST", "/jobs", JOB).json["id"] for _ in range(3)]
        put_picture(f"jobs/{ids[0]}/output/0.png")
        assert deliver(completed(ids[0], manifest(ids[0])), failed(ids[1])) == []
        assert call("POST", f"/jobs/{ids[2]}/cancel").status == 200
        sweep({}, Context())
        scale({}, Context())
    found: dict[str, set[str]] = {}
    for line in lines:
        for told_of in line.get("_aws", {}).get("CloudWatchMetrics", []):
            assert told_of["Namespace"] == METRICS
            dimensions = {name: line[name] for name in told_of["Dimensions"][0]}
            for metric in told_of["Metrics"]:
                found.setdefault(metric["Name"], set()).add(json.dumps(dimensions, sort_keys=True))
    return found


def test_every_metric_of_the_dashboard_is_really_written(prod: Synthesized) -> None:
    written_ones = emitted()
    ours = [(name, dimensions) for namespace, name, dimensions in drawn(prod) if namespace == METRICS]
    assert {name for name, _ in ours} >= {"jobs_succeed", "jobs_fail", "jobs_cancelled", "oldest_open_seconds"}
    for name, dimensions in ours:
        # The stage of the test has another name.
        assert json.dumps(dimensions | {"stage": "test"}, sort_keys=True) in written_ones[name], name


def test_as_many_metrics_of_ends_are_written_as_are_paid() -> None:
    of_jobs = {name for name, dimensions in emitted().items() if json.dumps({"stage": "test"}) in dimensions}
    assert len(of_jobs) == costs.JOB_METRICS


def test_the_dashboard_shows_each_queue_and_each_function(prod: Synthesized) -> None:
    shown = [(namespace, name) for namespace, name, _ in drawn(prod)]
    queues = [one for one in prod.resources("AWS::SQS::Queue").values() if "RedrivePolicy" not in one]
    assert shown.count(("AWS/SQS", "ApproximateNumberOfMessagesVisible")) == len(queues)
    for metric in ("Errors", "Throttles"):
        assert shown.count(("AWS/Lambda", metric)) == len(FUNCTIONS)


def test_there_is_one_dashboard_with_the_stage_and_the_region_in_its_name(prod: Synthesized, dev: Synthesized) -> None:
    names = []
    for stage in (prod, dev):
        (dashboard,) = stage.resources("AWS::CloudWatch::Dashboard").values()
        names.append(dashboard["DashboardName"])
    assert names == [{"Fn::Join": ["", [f"Darkroom-{name}-", {"Ref": "AWS::Region"}]]} for name in ("prod", "dev")]


def test_who_removes_a_stage_is_told_of_the_dashboard_and_what_it_costs() -> None:
    found = Inventory(resources=(Resource("StageDashboard", "AWS::CloudWatch::Dashboard", "Darkroom-dev-x", False),))
    lines = listing(found)
    assert "0 log groups, 0 alarms, 1 dashboards, 1 resources in all" in lines
    assert lines[-1].startswith(f"In all about {costs.prices()['dashboard_month']:.2f} dollars")
