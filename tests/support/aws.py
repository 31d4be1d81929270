"""Tables, buckets and settings for tests, built from what the stacks build from."""

from typing import Any

from darkroom.jobs.model import JobTimeouts
from darkroom.settings import Settings
from darkroom.tables import JOBS, KEYS, MODELS, PICTURES, USAGE, Table

REGION = "us-east-1"
SETTINGS = Settings(
    stage="test",
    version="0.0.0",
    jobs_table="jobs",
    models_table="models",
    keys_table="keys",
    pictures_table="picture-uses",
    usage_table="usage",
    pictures_bucket="pictures",
    models_bucket="models",
    progress_queue_url="https://sqs.us-east-1.amazonaws.com/1/progress",
    imports_queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/imports",
    deletions_queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/deletions",
    admin_secret="admin",
    results_topic="arn:aws:sns:us-east-1:123456789012:results",
    worker_role="arn:aws:iam::123456789012:role/worker",
    region=REGION,
    package_uri="",
    package_engine=None,
    dead_letter_queues=(),
    worker_image="worker:1",
    prices={"ml.g5.xlarge": 3.6},
)
TIMEOUTS = JobTimeouts(SETTINGS.job_wait_seconds, SETTINGS.job_run_seconds, SETTINGS.settle_after_seconds)


def make_table(dynamodb: Any, name: str, table: Table) -> None:
    """Create a table as `darkroom.tables` describes it."""
    keys = [table.partition, *([table.sort] if table.sort else [])]
    names = {*keys, *(part for index in table.indexes for part in (index.partition, index.sort))}
    indexes = [
        {
            "IndexName": index.name,
            "KeySchema": _schema([index.partition, index.sort]),
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.projected)},
        }
        for index in table.indexes
    ]
    dynamodb.create_table(
        TableName=name,
        KeySchema=_schema(keys),
        AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in sorted(names)],
        BillingMode="PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )


def _schema(keys: list[str]) -> list[dict[str, str]]:
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]


def make_stage(dynamodb: Any, s3: Any, secrets: Any) -> None:
    """Tables, buckets and the admin secret of `SETTINGS`."""
    tables = {
        SETTINGS.jobs_table: JOBS,
        SETTINGS.models_table: MODELS,
        SETTINGS.keys_table: KEYS,
        SETTINGS.pictures_table: PICTURES,
        SETTINGS.usage_table: USAGE,
    }
    for name, table in tables.items():
        make_table(dynamodb, name, table)
    for bucket in (SETTINGS.pictures_bucket, SETTINGS.models_bucket):
        s3.create_bucket(Bucket=bucket)
    secrets.create_secret(
        Name=SETTINGS.admin_secret, SecretString='{"owner": "admin", "secret": "a-very-long-admin-secret"}'
    )


def put_model(dynamodb: Any, name: str, kind: str = "stable-diffusion", status: str = "active") -> None:
    """A row of the shelf."""
    dynamodb.put_item(
        TableName=SETTINGS.models_table,
        Item={
            "kind": {"S": kind},
            "name": {"S": name},
            "status": {"S": status},
            "size": {"N": "10"},
            "old_hash": {"S": "e3b0c442"},
        },
    )
