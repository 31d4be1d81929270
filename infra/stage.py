"""The settings of one installation (a stage): read from `cdk.json`, checked, and frozen.

`cdk deploy -c stage=prod` takes `context.stages.prod`. Any setting can be overridden for one call with
`-c <setting>=<value>`, which is how the local stack asks for this machine's Python and CPU.
"""

import difflib
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

Architecture = Literal["arm64", "x86_64"]
LogRetention = Literal[1, 7, 14, 30, 90, 180, 365]


class StageError(Exception):
    """The stage's settings are wrong; the text names each setting, what is wrong and what to write."""


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _whole(value: object) -> object:
    """What stands behind `-c` arrives as text, which a `Literal` of numbers would refuse."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _table(value: object) -> object:
    """What stands behind `-c` arrives as text."""
    return json.loads(value) if isinstance(value, str) else value


PRICES = {
    "ml.g4dn.xlarge": 0.736,
    "ml.g4dn.2xlarge": 0.94,
    "ml.g5.xlarge": 1.408,
    "ml.g5.2xlarge": 1.515,
    "ml.g5.4xlarge": 2.03,
    "ml.p3.2xlarge": 3.825,
}
"""US dollars an hour of real-time hosting in us-east-1, as AWS's price page had them once: a beginning. A stage in
another region, or with a contract of its own, writes its own."""
Price = Annotated[float, Field(ge=0)]
Bucket = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[^/*\s]+$")]


class Stage(BaseModel):
    """One installation's settings. Each description ends the sentence "Write …" of an error message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # No dash: the stage's endpoints are `darkroom-<stage>-*`, in IAM and in lists. With a dash, `dev`
    # would hold the endpoints of `dev-2` too.
    name: str = Field(
        pattern=r"^[a-z][a-z0-9]{0,15}$",
        description="1 to 16 lower-case letters and digits, beginning with a letter, without a dash",
    )
    disposable: bool = Field(
        default=False,
        description="true where tables and buckets may go with the stack, false where they must stay",
    )
    origins: Annotated[tuple[Origin, ...], BeforeValidator(_listed)] = Field(
        default=(),
        description="the origins of web pages that may call, as in https://panel.example.com, without a path",
    )
    retention_days: int = Field(
        default=90, ge=1, le=3650, description="for how many days pictures and jobs are kept, 1 to 3650"
    )
    feed_shards: int = Field(
        default=1, ge=1, le=32, description="over how many partitions the newest jobs are spread, 1 to 32"
    )
    allow_pickle: bool = Field(
        default=False,
        description="true to take model files of formats that can run code when they are loaded (.ckpt, .pt, .bin)",
    )
    shared_history: bool = Field(
        default=False, description="true where artists see the whole account's history, false where only their own"
    )
    requests_per_minute: int = Field(
        default=600, ge=1, le=100_000, description="how many requests a minute a key may send, 1 to 100000"
    )
    import_buckets: Annotated[tuple[Bucket, ...], BeforeValidator(_listed)] = Field(
        default=(), description="the S3 buckets that model files may be imported from, as in my-models"
    )
    job_wait_seconds: int = Field(
        default=21_600,
        ge=60,
        le=21_600,
        description="how many seconds a job may wait in SageMaker's queue, 60 to 21600",
    )
    job_run_seconds: int = Field(
        default=3_600, ge=1, le=3_600, description="how many seconds a worker may take for a job, 1 to 3600"
    )
    # Less than a submission takes may hand a job over twice. That is harmless: each repeat is claimed by a conditional
    # write and counted.
    settle_after_seconds: int = Field(
        default=300,
        ge=5,
        le=3_600,
        description="after how many seconds without news the sweeper looks at a job itself, 5 to 3600",
    )
    max_open_jobs: int = Field(
        default=5_000, ge=1, le=1_000_000, description="how many jobs may be open at once, 1 to 1000000"
    )
    max_open_jobs_per_owner: int = Field(
        default=200, ge=1, le=1_000_000, description="how many jobs of one owner may be open at once, 1 to 1000000"
    )
    instance_type: str = Field(
        default="ml.g5.xlarge",
        pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$",
        description="the SageMaker instance type new endpoints get, as in ml.g5.xlarge",
    )
    worker_image: str | None = Field(
        default=None,
        pattern=r"^\S{1,255}$",
        description="the address of the worker's container, as in <account>.dkr.ecr.<region>.amazonaws.com/worker:1",
    )
    prices: Annotated[dict[str, Price], BeforeValidator(_table)] = Field(
        default_factory=lambda: dict(PRICES),
        description='what an hour of an instance type costs, as in {"ml.g5.xlarge": 1.41}',
    )
    idle_hours: float = Field(
        default=12,
        gt=0,
        le=24 * 90,
        description="after how many hours without a job an endpoint that never sleeps is reported, over 0",
    )
    idle_to_zero: bool = Field(
        default=False, description="true to let such an endpoint go of its instances, not only report it"
    )
    architecture: Architecture = Field(default="arm64", description="arm64 or x86_64")
    python: Literal["3.11", "3.12", "3.13"] = Field(default="3.13", description='"3.11", "3.12" or "3.13"')
    memory_mb: int = Field(default=1024, ge=256, le=10240, description="the memory of a function in MB, 256 to 10240")
    log_retention_days: Annotated[LogRetention, BeforeValidator(_whole)] = Field(
        default=30, description=f"one of {', '.join(map(str, get_args(LogRetention)))}"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING"] = Field(
        default="INFO", description="how much the functions write into their logs: DEBUG, INFO or WARNING"
    )
    waf: bool = Field(default=False, description="true to put AWS's firewall before the API")
    customer_key: bool = Field(
        default=False, description="true to encrypt all that is stored with a key of your own in KMS"
    )
    throttle_rate: int = Field(
        default=50, ge=1, le=10000, description="how many API requests a second are let through, 1 to 10000"
    )
    throttle_burst: int = Field(
        default=100, ge=1, le=5000, description="how many API requests may come at once, 1 to 5000"
    )


def read_stage(context: Callable[[str], Any]) -> Stage:
    """The stage that `context` (the CDK's `try_get_context`) picks. Raises StageError with all that is wrong."""
    stages = context("stages")
    if not isinstance(stages, Mapping) or not stages:
        raise StageError('cdk.json: context.stages is missing. Write {"dev": {"disposable": true}}.')
    name = context("stage")
    if name not in stages:
        raise StageError(f'There is no stage "{name}" in cdk.json. Write -c stage=<one of {", ".join(stages)}>.')
    written = stages[name]
    if not isinstance(written, Mapping):
        raise StageError(f'cdk.json: context.stages.{name} is {written!r}. Write {{"retention_days": 90}}.')
    if "name" in written:
        raise StageError(f'cdk.json: stage "{name}" must not set "name"; its key under stages is its name.')
    overrides = {key: value for key in Stage.model_fields if (value := context(key)) is not None}
    try:
        return Stage.model_validate({**written, **overrides, "name": name})
    except ValidationError as problem:
        lines = [_explain(error["loc"], error["type"], error["input"], error["msg"]) for error in problem.errors()]
        raise StageError("\n".join([f'Stage "{name}" (cdk.json, or -c on the command line):', *lines])) from None


def _explain(loc: tuple[int | str, ...], kind: str, given: object, message: str) -> str:
    setting = str(loc[0])
    if kind == "extra_forbidden":
        known = [key for key in Stage.model_fields if key != "name"]
        near = difflib.get_close_matches(setting, known, n=1)
        return f'- "{setting}" is not a setting. Write {near[0] if near else "one of " + ", ".join(known)}.'
    wrong = message[0].lower() + message[1:]
    return f'- "{setting}" is {given!r}: {wrong}. Write {Stage.model_fields[setting].description}.'
