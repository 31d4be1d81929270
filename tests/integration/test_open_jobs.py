"""Counting open jobs reads what a count needs: not their prompts, and no job that has ended."""

from typing import Any

from bench.writes import size_of
from tests.support.aws import SETTINGS
from tests.support.events import completed, deliver, failed, manifest
from tests.support.http import call
from tests.support.stage import Stage

BODY = {
    "type": "txt2img",
    "checkpoint": "v1-5.safetensors",
    "parameters": {"prompt": " ".join(map(str, range(10**6, 10**7, 30_011)))},
}


def submit() -> str:
    return str(call("POST", "/jobs", BODY).json["id"])


def in_index(stage: Stage, index: str, attribute: str, value: str) -> list[dict[str, Any]]:
    """What a Query of this index reads, whatever it asks for."""
    found = stage.dynamodb.query(
        TableName=SETTINGS.jobs_table,
        IndexName=index,
        KeyConditionExpression=f"{attribute} = :key",
        ExpressionAttributeValues={":key": {"S": value}},
    )
    items: list[dict[str, Any]] = found["Items"]
    return items


def test_a_count_asks_one_index_for_owners_and_endpoints_alone(stage: Stage) -> None:
    submit()
    requests: list[dict[str, Any]] = []
    client = stage.clients("dynamodb")
    client.meta.events.register("provide-client-params.dynamodb.Query", lambda params, **_: requests.append(params))
    assert stage.adapters.store.open_jobs().total == 1
    [request] = requests
    assert request["IndexName"] == "open"
    names = [
        request["ExpressionAttributeNames"].get(name, name) for name in request["ProjectionExpression"].split(", ")
    ]
    assert names == ["owner", "endpoint"]


def test_a_count_reads_at_most_150_bytes_a_job_and_no_prompt(stage: Stage) -> None:
    for _ in range(10):
        submit()
    counted, listed = (
        in_index(stage, "open", "open_shard", "0"),
        in_index(stage, "by_status", "status_shard", "in_progress#0"),
    )
    assert len(counted) == len(listed) == 10
    assert {frozenset(item) for item in counted} == {frozenset({"id", "open_shard", "owner", "endpoint"})}
    assert max(map(size_of, counted)) < 150
    assert min(map(size_of, listed)) > 1_000


def test_a_job_is_counted_until_it_ends_however_it_ends(stage: Stage) -> None:
    succeeds, fails, cancelled, deleted = (submit() for _ in range(4))
    assert stage.adapters.store.open_jobs().total == 4
    deliver(completed(succeeds, manifest(succeeds)))
    deliver(failed(fails))
    call("POST", f"/jobs/{cancelled}/cancel")
    assert stage.adapters.store.open_jobs().total == 1
    call("DELETE", f"/jobs/{deleted}")
    assert stage.adapters.store.open_jobs().total == 0
    assert in_index(stage, "open", "open_shard", "0") == []
