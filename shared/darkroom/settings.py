"""The settings of a stage: those that its operator chooses, and those that the stacks give to a function.

The stacks write a function's settings into its environment, and the function reads them with the same class. So the
names are the same on both sides. Every default is written here and nowhere else.
"""

import json
import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from darkroom.endpoints.containers import is_ours
from darkroom.engines.model import EngineName

METRICS = "Darkroom"
"""The CloudWatch namespace of the sweeper's metrics; the alarms read them."""
PRICES = {
    "ml.g4dn.xlarge": 0.736,
    "ml.g4dn.2xlarge": 0.94,
    "ml.g5.xlarge": 1.408,
    "ml.g5.2xlarge": 1.515,
    "ml.g5.4xlarge": 2.03,
    "ml.p3.2xlarge": 3.825,
}
"""US dollars for an hour of real-time hosting in us-east-1, as AWS's price page once listed them. They are examples: a
stage in another region or with another contract sets its own."""


class NotGiven(Exception):
    """A function reads a setting that the stack did not give it; the text says where to add it."""


def listed(value: object) -> object:
    """A list from text with commas, as an environment variable or `-c` on the command line has it; other values as they
    are."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _table(value: object) -> object:
    """A dict from JSON text, likewise."""
    return json.loads(value) if isinstance(value, str) else value


def _text_or_none(value: object) -> object:
    """None from an empty text: an environment variable cannot be None."""
    return value or None


def _to_text(value: object) -> str:
    """A value as an environment variable has it."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(value)
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else str(value)


def _variable(name: str) -> str:
    return f"DARKROOM_{name.upper()}"


def endpoint_prefix(stage: str) -> str:
    """The prefix of the names of all SageMaker endpoints of a stage. No prefix is the beginning of another stage's,
    because a stage's name has no dash."""
    return f"darkroom-{stage}-"


PACKAGES_PREFIX, COMPILED_PREFIX = "worker/", "compiled/"
"""The prefixes in the models bucket for the worker's packages, each under its digest, and for code that workers
compiled."""


Price = Annotated[float, Field(ge=0)]
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[^/*\s]+$")]


Pickles = Literal["never", "weights_only", "any"]
WorkerBase = Literal["pytorch", "ray"]
WakeBy = Literal["count", "bounds"]
Address = Annotated[str, StringConstraints(pattern=r"^\S{1,255}$")]
Image = Annotated[Address | None, BeforeValidator(_text_or_none)]


class OperatorSettings(BaseModel):
    """The settings that an operator chooses and functions read. An error message puts the description after "Write"."""

    model_config = ConfigDict(frozen=True)

    origins: Annotated[tuple[Origin, ...], BeforeValidator(listed)] = Field(
        default=(),
        description="the origins of web pages that may call, as in https://panel.example.com, without a path",
    )
    retention_days: int = Field(
        default=90, ge=1, le=3650, description="for how many days pictures and jobs are kept, 1 to 3650"
    )
    feed_shards: int = Field(
        default=1, ge=1, le=32, description="over how many partitions the newest jobs are spread, 1 to 32"
    )
    pickles: Pickles = Field(
        default="weights_only",
        description="never, weights_only or any: whether model files are taken whose formats can run code when they "
        "are loaded (.ckpt, .pt, .pth, .bin); weights_only takes them for Darkroom's own worker, which loads nothing "
        "but weights from them",
    )
    shared_history: bool = Field(
        default=False, description="true where artists see the whole account's history, false where only their own"
    )
    requests_per_minute: int = Field(
        default=600, ge=1, le=100_000, description="how many requests a minute a key may send, 1 to 100000"
    )
    job_wait_seconds: int = Field(
        default=21_600,
        ge=1,
        le=21_600,
        description="how many seconds a job may wait in SageMaker's queue, 60 to 21600",
    )
    job_run_seconds: int = Field(
        default=3_600, ge=1, le=3_600, description="how many seconds a worker may take for a job, 1 to 3600"
    )
    # With fewer seconds than a submission takes, a job may be handed over twice. That does no harm: each repeat is
    # claimed by a conditional write and counted.
    settle_after_seconds: int = Field(
        default=300,
        ge=1,
        le=3_600,
        description="after how many seconds without news the sweeper looks at a job itself, 1 to 3600",
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
    cpu_instance_type: str = Field(
        default="ml.m5.large",
        pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$",
        description="the type that new endpoints with the engine preview get, as in ml.m5.large",
    )
    worker_image: Image = Field(
        default=None,
        description="the address of your own worker's container, as in "
        "<account>.dkr.ecr.<region>.amazonaws.com/worker:1; it wins over the worker's package",
    )
    worker_base: WorkerBase = Field(
        default="pytorch", description="pytorch or ray: which of AWS's containers the worker's package is for"
    )
    worker_base_image: Image = Field(
        default=None, description="the address of another container of AWS for types with a GPU"
    )
    worker_base_image_cpu: Image = Field(
        default=None, description="the address of another container of AWS for types without a GPU"
    )
    prices: Annotated[dict[str, Price], BeforeValidator(_table)] = Field(
        default_factory=lambda: dict(PRICES),
        description='what an hour of an instance type costs, as in {"ml.g5.xlarge": 1.41}',
    )
    wake_by: WakeBy = Field(
        default="count",
        description="count or bounds: whether an endpoint's number of instances is set directly, or by moving the "
        "bounds of its scaling",
    )
    sleep_after_seconds_least: int = Field(
        default=60,
        ge=1,
        le=86_400,
        description="how many seconds without an open job an endpoint is kept awake at least, 1 to 86400",
    )
    sleep_after_seconds_most: int = Field(
        default=900,
        ge=1,
        le=86_400,
        description="how many seconds without an open job an endpoint is kept awake at most, 1 to 86400",
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


class Settings(OperatorSettings):
    """The settings of functions: those of the operator, and the names, URLs or ARNs of what the stacks created.

    A function has only the settings that `infra/functions.py` lists for it; reading another raises NotGiven.
    `package_uri` is the prefix in S3 of the worker's package, and `package_engine` the most that it can paint with;
    both are empty without one. `dead_letter_queues` are texts `name|url|source`, as `dead_letters.model.Queue` reads
    them.
    """

    stage: str
    version: str
    jobs_table: str
    models_table: str
    keys_table: str
    pictures_table: str
    usage_table: str
    pictures_bucket: str
    models_bucket: str
    progress_queue_url: str
    imports_queue_url: str
    deletions_queue_url: str
    admin_secret: str
    results_topic: str
    worker_role: str
    region: str
    package_uri: str
    package_engine: Annotated[EngineName | None, BeforeValidator(_text_or_none)]
    dead_letter_queues: Annotated[tuple[str, ...], BeforeValidator(listed)]

    @property
    def endpoint_prefix(self) -> str:
        """See the function of that name."""
        return endpoint_prefix(self.stage)

    @property
    def takes_pickles(self) -> bool:
        """Whether model files are taken that can run code when they are loaded. With `weights_only` they are taken
        where the worker is Darkroom's own; what a container of one's own does with them nobody knows."""
        if self.pickles != "weights_only" or self.worker_image is None:
            return self.pickles != "never"
        return is_ours(self.worker_image)

    def environment(self, names: Collection[str] | None = None) -> dict[str, str]:
        """The settings `names`, or all, as environment variables, the way `from_environment` reads them."""
        names = type(self).model_fields if names is None else sorted(names)
        return {_variable(name): _to_text(getattr(self, name)) for name in names}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings that the environment has. Raises pydantic's ValidationError for an invalid one. A missing
        one raises NotGiven when it is read, not here."""
        given = {name: environment[_variable(name)] for name in cls.model_fields if _variable(name) in environment}
        # pydantic validates a model only as a whole, so missing settings get a placeholder, which is removed below.
        placeholders = {name: "" for name, field in cls.model_fields.items() if field.is_required()}
        settings = cls.model_validate({**placeholders, **given})
        for name in cls.model_fields.keys() - given.keys():
            del settings.__dict__[name]
        return settings

    if not TYPE_CHECKING:  # with this method mypy would accept any attribute

        def __getattr__(self, name: str) -> Any:
            """Python calls this for an attribute that is missing."""
            if name in Settings.model_fields:
                hint = f"add {name!r} to the function's settings in infra/functions.py"
                raise NotGiven(f"{_variable(name)} is not in the environment of this function: {hint}.")
            return super().__getattr__(name)
