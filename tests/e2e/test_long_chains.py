"""Work of many steps on the local stack, with the deployed functions: Lambda ends no chain that may be long, and what
stands still all the same is ended."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from darkroom_client import deletions
from infra import versions
from local.loops import RUNS
from tests.e2e.conftest import IMPORTS, Running
from tests.e2e.test_deletions import CHECKPOINT, seed
from tests.support.models import safetensors
from tests.support.waiting import eventually

STEPS = 200
PART = 1024
TWO_HOURS_AGO = "2026-01-01T00:00:00Z"
SHORT = {
    # Each step stores one part of a kilobyte. (S3 takes parts of five megabytes and more, the local one any.)
    "checkpoint_imports": f"""
from darkroom.checkpoints import imports, model
from functions.checkpoint_imports.handler import handler
model._MEGABYTE = model._LEAST_PART = {PART}
imports.STEP_SECONDS = 0.0
""",
    # Each step has the time for one page of one job: it looks at its clock when it begins, and before and after each.
    "job_deletions": """
from itertools import count
from darkroom import wiring
from darkroom.jobs import deletion_steps
from functions.job_deletions import handler as deployed
deletion_steps.PAGE = 1
def handler(event, context):
    ticks = count(0, 6)
    wiring.stage().deletion_steps._monotonic = lambda: next(ticks)
    return deployed.handler(event, context)
""",
}


@contextmanager
def short_steps(darkroom: Running, name: str, loop: str = "") -> Iterator[None]:
    """The deployed function with short steps and, if given, another `RecursiveLoop`; afterwards as it was."""
    client, function = darkroom.aws("lambda"), darkroom.function(name)
    told = client.get_function_configuration(FunctionName=function)
    allowed = client.get_function_recursion_config(FunctionName=function)["RecursiveLoop"]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        content.writestr("python/short.py", SHORT[name])
    layer = client.publish_layer_version(LayerName=f"short-{name}", Content={"ZipFile": file.getvalue()})
    layers = [one["Arn"] for one in told["Layers"]]
    client.update_function_configuration(
        FunctionName=function, Handler="short.handler", Layers=[*layers, layer["LayerVersionArn"]]
    )
    versions.publish(client, function)
    if loop:
        client.put_function_recursion_config(FunctionName=function, RecursiveLoop=loop)
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=function, Handler=told["Handler"], Layers=layers)
        versions.publish(client, function)
        client.put_function_recursion_config(FunctionName=function, RecursiveLoop=allowed)


def import_file(darkroom: Running) -> dict[str, str]:
    """Begin the import of a file of so many parts; returns what names it."""
    s3 = darkroom.aws("s3")
    s3.create_bucket(Bucket=IMPORTS)
    content = safetensors(data=b"\1" * (STEPS * PART))
    s3.put_object(Bucket=IMPORTS, Key="chain.safetensors", Body=content)
    model = {"kind": "lora", "name": "chain.safetensors"}
    url = f"s3://{IMPORTS}/chain.safetensors"
    assert darkroom.client.request("POST", "/checkpoints/import", json={**model, "url": url})["status"] == "importing"
    return model


def shown(darkroom: Running, model: dict[str, str]) -> Any:
    rows = darkroom.client.request("GET", "/checkpoints", params={"kind": "lora"})["checkpoints"]
    return next(row for row in rows if row["name"] == model["name"])


def letters(darkroom: Running, queue: str) -> int:
    (found,) = [row for row in darkroom.client.request("GET", "/dead-letters")["queues"] if row["name"] == queue]
    return int(found["messages"])


def test_an_import_of_two_hundred_steps_arrives(darkroom: Running) -> None:
    with short_steps(darkroom, "checkpoint_imports"):
        model = import_file(darkroom)
        row = eventually(lambda: (row := shown(darkroom, model))["status"] != "importing" and row, 240)
    assert row
    assert (row["status"], row["reason"]) == ("active", None)
    table = darkroom.aws("dynamodb")
    key = {name: {"S": value} for name, value in model.items()}
    item = table.get_item(TableName=darkroom.stack.outputs["ModelsTable"], Key=key)["Item"]
    place = {"Bucket": darkroom.stack.outputs["ModelsBucket"], "Key": item["object"]["S"]}
    # S3 names the number of parts in the ETag: one a step.
    parts = darkroom.aws("s3").head_object(**place)["ETag"].strip('"').rpartition("-")[2]
    assert int(parts) > STEPS
    darkroom.client.request("DELETE", "/checkpoints", params=model)


def test_a_deletion_of_some_hundred_steps_is_done(darkroom: Running) -> None:
    made = seed(darkroom)
    with short_steps(darkroom, "job_deletions"):
        begun = deletions.begin(darkroom.client, status=["fail"], checkpoint=CHECKPOINT)
        for state in deletions.watch(darkroom.client, begun, seconds=1):
            last = state
    assert (last["status"], last["deleted"]) == ("done", len(made))
    table = darkroom.aws("dynamodb")
    row = table.get_item(TableName=darkroom.stack.outputs["JobsTable"], Key={"id": {"S": f"deletion#{begun['id']}"}})
    assert json.loads(row["Item"]["deletion"]["S"])["step"] >= len(made)


def test_a_chain_that_lambda_ends_becomes_a_dead_letter_and_the_sweeper_ends_its_import(darkroom: Running) -> None:
    before = letters(darkroom, "imports")
    with short_steps(darkroom, "checkpoint_imports", loop="Terminate"):
        model = import_file(darkroom)
        eventually(lambda: letters(darkroom, "imports") > before, 120)
    row = shown(darkroom, model)
    # The first step looks at the size; each other one stores a part.
    assert (row["status"], row["done"]) == ("importing", (RUNS - 1) * PART)
    table = darkroom.aws("dynamodb")
    place = {"TableName": darkroom.stack.outputs["ModelsTable"], "Key": {n: {"S": v} for n, v in model.items()}}
    table.update_item(
        **place,
        UpdateExpression="SET stepped_at = :then",
        ExpressionAttributeValues={":then": {"S": TWO_HOURS_AGO}},
    )
    darkroom.sweep()
    assert shown(darkroom, model)["status"] == "fail"
    assert "import it again" in shown(darkroom, model)["reason"]
    uploads = darkroom.aws("s3").list_multipart_uploads(Bucket=darkroom.stack.outputs["ModelsBucket"])
    assert uploads.get("Uploads", []) == []
    darkroom.client.request("DELETE", "/checkpoints", params=model)
    darkroom.client.request("POST", "/dead-letters/imports/redrive")


def test_the_deployed_functions_that_may_loop_are_those_of_steps(darkroom: Running) -> None:
    client = darkroom.aws("lambda")
    allowed = {
        name
        for name, function in darkroom.functions().items()
        if client.get_function_recursion_config(FunctionName=function["FunctionName"])["RecursiveLoop"] == "Allow"
    }
    assert allowed == {"checkpoint_imports", "job_deletions"}
