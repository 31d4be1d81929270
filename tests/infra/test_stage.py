"""A stage's settings: what is wrong is said in words that a person can act on."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra import preflight
from infra.stage import Stage, StageError, read_stage
from tests.infra.conftest import Installations

ROOT = Path(__file__).resolve().parents[2]


def context(settings: dict[str, Any], stage: str = "dev", **overrides: Any) -> Callable[[str], Any]:
    return {"stage": stage, "stages": {stage: settings}, **overrides}.get


def complaint(settings: dict[str, Any], stage: str = "dev", **overrides: Any) -> str:
    with pytest.raises(StageError) as refused:
        read_stage(context(settings, stage, **overrides))
    return str(refused.value)


def test_a_stage_without_settings_has_safe_defaults() -> None:
    stage = read_stage(context({}, "prod"))
    assert (stage.name, stage.disposable, stage.origins, stage.retention_days) == ("prod", False, (), 90)
    assert (stage.architecture, stage.python) == ("arm64", "3.13")


def test_every_stage_in_cdk_json_is_valid() -> None:
    shipped = json.loads((ROOT / "cdk.json").read_text())["context"]
    assert set(shipped["stages"]) == {"dev", "prod", "local"}
    disposable = {name for name in shipped["stages"] if read_stage({**shipped, "stage": name}.get).disposable}
    assert disposable == {"dev", "local"}


def test_a_setting_on_the_command_line_wins_over_the_file() -> None:
    stage = read_stage(
        context(
            {"python": "3.12", "retention_days": 10},
            python="3.11",
            retention_days="30",
            log_retention_days="7",
            disposable="true",
            origins="https://a.example, https://b.example",
        )
    )
    assert (stage.python, stage.retention_days, stage.log_retention_days) == ("3.11", 30, 7)
    assert stage.disposable
    assert stage.origins == ("https://a.example", "https://b.example")


def test_the_least_time_until_an_endpoint_sleeps_is_no_more_than_the_most() -> None:
    wrong = "- sleep_after_seconds_least is 60, and sleep_after_seconds_most is less: 30."
    assert wrong in complaint({"sleep_after_seconds_most": 30})
    assert read_stage(context({"sleep_after_seconds_most": 30, "sleep_after_seconds_least": 30}))


@pytest.mark.parametrize("name", ["Dev", "my-stage", "1st", "a" * 17, "dev_2"])
def test_a_name_that_could_mix_up_two_stages_is_refused(name: str) -> None:
    said = complaint({}, stage=name)
    assert '"name"' in said
    assert repr(name) in said
    assert "without a dash" in said


@pytest.mark.parametrize(
    ("setting", "value", "advice"),
    [
        ("retention_days", 0, "1 to 3650"),
        ("retention_days", "soon", "for how many days"),
        ("feed_shards", 33, "1 to 32"),
        ("job_wait_seconds", 59, "60 to 21600"),
        ("settle_after_seconds", 0, "1 to 3600"),
        ("instance_type", "g5.xlarge", "as in ml.g5.xlarge"),
        ("architecture", "arm", "arm64 or x86_64"),
        ("python", "3.10", '"3.11", "3.12" or "3.13"'),
        ("memory_mb", 128, "256 to 10240"),
        ("log_retention_days", 8, "one of 1, 7, 14, 30, 90, 180, 365"),
        ("alarm_email", "oncall", "as in oncall@example.com"),
        ("alarm_email", "a@example.com,b@example.com", "the address that alarms are mailed to"),
        ("alarm_topic", "oncall", "as in arn:aws:sns:us-east-1:123456789012:oncall"),
        ("alarm_topic", "arn:aws:sns:us-east-1:123456789012:oncall.fifo", "the ARN of an SNS topic"),
        ("throttle_rate", 0, "1 to 10000"),
        ("throttle_burst", -1, "1 to 5000"),
        ("requests_per_minute", 0, "1 to 100000"),
        ("shared_history", "perhaps", "true where artists see"),
        ("disposable", "perhaps", "true where tables and buckets may go"),
        ("origins", ["*"], "https://panel.example.com"),
        ("origins", ["https://panel.example.com/"], "without a path"),
    ],
)
def test_a_bad_value_is_named_with_what_to_write_instead(setting: str, value: object, advice: str) -> None:
    said = complaint({setting: value})
    assert f'"{setting}"' in said
    assert advice in said


def test_an_unknown_setting_is_answered_with_the_nearest_one() -> None:
    assert '"retention_day" is not a setting. Write retention_days.' in complaint({"retention_day": 3})
    assert "Write one of alarm_email, alarm_topic, architecture" in complaint({"zzz": 3})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    said = complaint({"retention_days": 0, "colour": "red"})
    assert "retention_days" in said
    assert "colour" in said


def test_a_stage_that_is_not_in_the_file_is_answered_with_those_that_are() -> None:
    with pytest.raises(StageError, match=r'no stage "test" in cdk\.json.*dev, prod'):
        read_stage({"stage": "test", "stages": {"dev": {}, "prod": {}}}.get)


def test_a_file_without_stages_or_with_nonsense_is_explained() -> None:
    with pytest.raises(StageError, match=r"context\.stages is missing"):
        read_stage({"stage": "dev"}.get)
    with pytest.raises(StageError, match=r"context\.stages\.dev is 'yes'"):
        read_stage({"stage": "dev", "stages": {"dev": "yes"}}.get)
    assert "its key under stages is its name" in complaint({"name": "prod"})


def test_the_app_prints_the_reason_without_a_traceback() -> None:
    wrong = json.dumps({"stage": "dev", "stages": {"dev": {"retention_days": 0}}})
    run = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**os.environ, "CDK_CONTEXT_JSON": wrong},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert '"retention_days" is 0' in run.stderr
    assert "Traceback" not in run.stderr


def test_the_page_on_deploying_tells_every_setting_with_its_default() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in page.splitlines() if line.startswith("| `")]
    told: dict[str, str] = {}
    for names, defaults in rows:
        told |= zip(re.findall("`(.+?)`", names), defaults.split(", "), strict=False)
    assert set(told) == set(Stage.model_fields) - {"name"}
    del told["prices"]  # they are many; the page says where they are from
    assert told == {name: as_told(Stage.model_fields[name].default) for name in told}


def as_told(default: object) -> str:
    if isinstance(default, bool):
        return "true" if default else "false"
    return "none" if default in (None, ()) else str(default)


def test_the_preflight_knows_what_the_stacks_need(installations: Installations) -> None:
    manifest = json.loads((installations.prod.folder / "manifest.json").read_text())
    stacks = [artifact["properties"] for artifact in manifest["artifacts"].values() if "properties" in artifact]
    needed = {stack["requiresBootstrapStackVersion"] for stack in stacks if "requiresBootstrapStackVersion" in stack}
    parameters = {
        stack["bootstrapStackVersionSsmParameter"] for stack in stacks if "bootstrapStackVersionSsmParameter" in stack
    }
    assert (needed, parameters) == ({preflight.BOOTSTRAP_VERSION}, {preflight.BOOTSTRAP_PARAMETER})
    feeds = installations.prod.resources("AWS::Lambda::EventSourceMapping").values()
    at_once = sum(feed["ScalingConfig"]["MaximumConcurrency"] for feed in feeds)
    assert preflight.QUEUES_AT_ONCE - 10 <= at_once <= preflight.QUEUES_AT_ONCE
