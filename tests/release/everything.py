"""All that a person can read of a stage, and all that it has in AWS."""

import hashlib
from collections.abc import Iterator
from typing import Any

from darkroom_client import Darkroom
from darkroom_client.answers import Job
from local.seed import CHECKPOINT, ENDPOINT
from tests.support.pictures import png

_OF_THE_MOMENT = {
    "last_used",
    "last_used_at",
    "version",
    "instances",
    "scaled",
    "retry_after",
    "expires_at",
    "timings",
    "cost",
}
"""What changes by itself, or with the version."""


def fill(client: Darkroom) -> list[str]:
    """One of everything that a stage stores; returns the ids of the jobs."""
    picture = client.upload(png(64, 64, (9, 8, 7)))
    parameters = {"prompt": "a pier", "seed": 1, "steps": 2, "width": 64, "height": 64}
    base = {"checkpoint": CHECKPOINT, "endpoint": ENDPOINT, "parameters": parameters}
    bodies: list[dict[str, Any]] = [
        {"type": "txt2img", **base},
        {"type": "txt2img", **base},
        {"type": "img2img", **base, "images": {"init": picture}},
        {"type": "extras", "endpoint": ENDPOINT, "parameters": {"upscaling_resize": 2}, "images": {"init": picture}},
    ]
    jobs = [client.settled(client.submit(body)["id"], 60) for body in bodies]
    client.edit(jobs[0]["id"], title="Two piers", rating=4, tags=["sea"])
    client.request("POST", "/keys", json={"name": f"anna-{jobs[0]['id'][-6:]}", "role": "artist"})
    client.request("POST", "/jobs/delete", json={"ids": [client.submit(bodies[0])["id"]]})
    return [job["id"] for job in jobs]


def read(client: Darkroom, jobs: list[str]) -> dict[str, Any]:
    """Every list by every index, and these jobs with their pictures."""
    queries: list[dict[str, Any]] = [
        {},
        {"status": "succeed"},
        {"type": "txt2img"},
        {"checkpoint": CHECKPOINT},
        {"endpoint": ENDPOINT},
        {"owner": "admin"},
        {"q": "pier"},
        {"tag": "sea"},
        {"rating": 4},
    ]
    found: dict[str, Any] = {
        f"history {query}": [line for line in client.history(**query) if line["id"] in jobs] for query in queries
    }
    for job in map(client.job, jobs):
        found[job["id"]] = {**job, "pictures": list(_pictures(client, job))}
    for path in ("/checkpoints", "/keys", "/endpoints", "/dead-letters"):
        found[path] = client.request("GET", path)
    # The local stack writes its own checkpoint anew when it starts.
    found["/checkpoints"] = [{**one, "created_at": None} for one in found["/checkpoints"]["checkpoints"]]
    found["/keys"] = {key["id"]: key for key in found["/keys"]["keys"]}
    answer: dict[str, Any] = _lasting(found)
    return answer


def _pictures(client: Darkroom, job: Job) -> Iterator[str]:
    for picture in job["images"]:
        yield hashlib.sha256(client.download(picture["url"])).hexdigest()


def _lasting(value: Any) -> Any:
    """Without signed links, and without what changes by itself."""
    if isinstance(value, dict):
        return {key: _lasting(one) for key, one in value.items() if key not in _OF_THE_MOMENT and not _is_link(one)}
    return [_lasting(one) for one in value if not _is_link(one)] if isinstance(value, list) else value


def _is_link(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("http")


def lost(before: Any, after: Any, where: str = "") -> list[str]:
    """What `before` says and `after` does not. A later version may say more."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [line for key in before for line in lost(before[key], after.get(key), f"{where}/{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [line for n, one in enumerate(before) for line in lost(one, after[n], f"{where}/{n}")]
    return [] if before == after else [f"{where}: {before!r} became {after!r}"]


def resources(aws: Any) -> set[str]:
    """Everything of the kinds that Darkroom or an endpoint of it makes, in the whole account. `aws` gives a client."""
    found = set()
    for service, operation, key, name in (
        ("apigateway", "get_rest_apis", "items", "name"),
        ("cloudformation", "describe_stacks", "Stacks", "StackName"),
        ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        ("dynamodb", "list_tables", "TableNames", ""),
        ("events", "list_rules", "Rules", "Name"),
        ("iam", "list_roles", "Roles", "RoleName"),
        ("kms", "list_aliases", "Aliases", "AliasName"),
        ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
        ("lambda", "list_functions", "Functions", "FunctionName"),
        ("lambda", "list_layers", "Layers", "LayerName"),
        ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        ("s3", "list_buckets", "Buckets", "Name"),
        ("secretsmanager", "list_secrets", "SecretList", "Name"),
        ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
        ("sns", "list_topics", "Topics", "TopicArn"),
        ("sqs", "list_queues", "QueueUrls", ""),
        ("ssm", "describe_parameters", "Parameters", "Name"),
    ):
        client = aws(service)
        for page in client.get_paginator(operation).paginate():
            found |= {f"{service} {one[name] if name else one}" for one in page.get(key, [])}
    for operation, key in (
        ("list_endpoints", "Endpoint"),
        ("list_endpoint_configs", "EndpointConfig"),
        ("list_models", "Model"),
    ):
        listed = getattr(aws("sagemaker"), operation)()[f"{key}s"]
        found |= {f"sagemaker {key} {one[f'{key}Name']}" for one in listed}
    targets = aws("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    return found | {f"scaling {one['ResourceId']}" for one in targets["ScalableTargets"]}
