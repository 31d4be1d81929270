"""The settings of one installation (a stage): read from `cdk.json` and checked.

`make deploy STAGE=prod` uses `context.stages.prod`. `-c <setting>=<value>` overrides a setting for one command; the
local stack sets this machine's Python and CPU in that way.

`python -m infra.stage` has the commands of those who deploy: see `infra/operators.py`.
"""

import difflib
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from darkroom.settings import OperatorSettings, listed

Architecture = Literal["arm64", "x86_64"]
NO_PACKAGE = "none"
LogRetention = Literal[1, 7, 14, 30, 90, 180, 365]


class StageError(Exception):
    """The stage's settings are wrong; the text names each setting, what is wrong and what to write."""


def _whole(value: object) -> object:
    """A number from text: `-c` gives text, which a `Literal` of numbers refuses."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _text_or_none(value: object) -> object:
    """None from an empty text: `-c` gives text."""
    return value or None


Certificate = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:acm:us-east-1:\d{12}:certificate/[\w-]+$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s,]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}$")]
# Standard topics alone: only those deliver to people.
Topic = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$")]
Domain = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$")]


def _switch(value: object) -> object:
    """True or false from text, likewise."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


Bucket = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


class Stage(OperatorSettings):
    """One installation's settings. Those declared here are read by the stacks only, the inherited ones by functions
    too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # No dash: the stage's endpoints match `darkroom-<stage>-*` in IAM and in lists. If dashes were allowed, the
    # endpoints of `dev-2` would match those of `dev`.
    name: str = Field(
        pattern=r"^[a-z][a-z0-9]{0,15}$",
        description="1 to 16 lower-case letters and digits, beginning with a letter, without a dash",
    )
    disposable: bool = Field(
        default=False,
        description="true where tables and buckets may go with the stack, false where they must stay",
    )
    import_buckets: Annotated[tuple[Bucket, ...], BeforeValidator(listed)] = Field(
        default=(), description="the S3 buckets that model files may be imported from, as in my-models"
    )
    architecture: Architecture = Field(default="arm64", description="arm64 or x86_64")
    python: Literal["3.11", "3.12", "3.13"] = Field(default="3.13", description='"3.11", "3.12" or "3.13"')
    memory_mb: int = Field(default=1024, ge=256, le=10240, description="the memory of a function in MB, 256 to 10240")
    snap_start: bool = Field(
        default=False, description="true to start the functions behind the API from a snapshot, which AWS bills"
    )
    log_retention_days: Annotated[LogRetention, BeforeValidator(_whole)] = Field(
        default=30, description=f"one of {', '.join(map(str, get_args(LogRetention)))}"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING"] = Field(
        default="INFO", description="how much the functions write into their logs: DEBUG, INFO or WARNING"
    )
    worker_package: str = Field(
        default="dist/worker",
        description="the folder of the worker's packages, as `make worker` builds them; none to deploy none",
    )
    page: bool = Field(default=True, description="true to serve the page for browsers, false to leave it out")
    page_domain: Domain | None = Field(
        default=None, description="your own name for the page, as in paint.example.com; it needs a page_certificate"
    )
    page_certificate: Certificate | None = Field(
        default=None,
        description="the ARN of the certificate for page_domain, as in "
        "arn:aws:acm:us-east-1:<account>:certificate/<id>; CloudFront takes those of us-east-1 only",
    )
    waf: bool = Field(default=False, description="true to put AWS's firewall before the API")
    customer_key: Annotated[Literal[True, False, "kept"], BeforeValidator(_switch)] = Field(
        default=False,
        description="true to encrypt all that is stored with a key of your own in KMS, kept to encrypt nothing more "
        "with it and still read what it encrypted, or false where there never was one",
    )
    permissions_boundary: Annotated[str | None, BeforeValidator(_text_or_none)] = Field(
        default=None,
        pattern=r"^[\w+=,.@-]{1,128}$",
        description="the name of the policy that bounds all roles of the stage, as in DarkroomBoundary",
    )
    # SageMaker publishes with the worker's role. Whether it can use SNS's own key, whose policy nobody can change, was
    # not tried yet; a topic that cannot be published to would leave every job to the sweeper.
    sns_key: bool = Field(
        default=False, description="true to encrypt the topic with SNS's own key where there is no customer_key"
    )
    alarm_email: Annotated[Email | None, BeforeValidator(_text_or_none)] = Field(
        default=None, description="the address that alarms are mailed to, as in oncall@example.com"
    )
    alarm_topic: Annotated[Topic | None, BeforeValidator(_text_or_none)] = Field(
        default=None,
        description="the ARN of an SNS topic of the same region that alarms go to, as in "
        "arn:aws:sns:us-east-1:123456789012:oncall",
    )
    throttle_rate: int = Field(
        default=50, ge=1, le=10000, description="how many API requests a second are let through, 1 to 10000"
    )
    throttle_burst: int = Field(
        default=100, ge=1, le=5000, description="how many API requests may come at once, 1 to 5000"
    )

    @field_validator("snap_start")
    @classmethod
    def _snapshots_need_a_newer_python(cls, wanted: bool, info: ValidationInfo) -> bool:
        """Lambda Developer Guide, "Improving startup performance with Lambda SnapStart": Python 3.12 and later."""
        if wanted and info.data.get("python") == "3.11":
            raise ValueError("Lambda makes no snapshots of Python 3.11")
        return wanted

    @property
    def encrypts(self) -> bool:
        """Whether what is stored from now on is encrypted with the customer's key."""
        return self.customer_key is True

    @field_validator("job_wait_seconds")
    @classmethod
    def _not_below_sagemakers_minimum(cls, seconds: int) -> int:
        """InvokeEndpointAsync accepts a RequestTTLSeconds of 60 and more. The check is here and not in the inherited
        settings, because `make chaos` runs a sweeper with less, for which every job is an old one."""
        if seconds < 60:
            raise ValueError("SageMaker takes no less than 60")
        return seconds

    @model_validator(mode="after")
    def _name_and_certificate(self) -> "Stage":
        if bool(self.page_domain) != bool(self.page_certificate):
            raise ValueError("page_domain and page_certificate belong together: write both, or none")
        return self

    @model_validator(mode="after")
    def _least_and_most(self) -> "Stage":
        """The functions that wake endpoints rely on the least, and know nothing of the most. The check is here, because
        a function that reads one of the two has the default of the other."""
        least, most = self.sleep_after_seconds_least, self.sleep_after_seconds_most
        if least > most:
            raise ValueError(f"sleep_after_seconds_least is {least}, and sleep_after_seconds_most is less: {most}")
        return self


def read_stage(context: Callable[[str], Any]) -> Stage:
    """The settings of the stage that `context` (the CDK's `try_get_context`) names. Raises StageError, which lists
    every wrong setting."""
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
    if not loc:
        return f"- {message.removeprefix('Value error, ')}."
    setting = str(loc[0])
    if kind == "extra_forbidden":
        known = sorted(key for key in Stage.model_fields if key != "name")
        near = difflib.get_close_matches(setting, known, n=1)
        return f'- "{setting}" is not a setting. Write {near[0] if near else "one of " + ", ".join(known)}.'
    wrong = message[0].lower() + message[1:]
    return f'- "{setting}" is {given!r}: {wrong}. Write {Stage.model_fields[setting].description}.'


if __name__ == "__main__":
    from infra.operators import main

    sys.exit(main())
