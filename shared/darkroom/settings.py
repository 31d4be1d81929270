"""What a function is told about its surroundings: one frozen object, read once from the environment.

The stacks write the same object into every function's environment, so a name cannot differ
between who sets it and who reads it.
"""

import json
import os
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

METRICS = "Darkroom"
"""The CloudWatch namespace of what the sweeper counts, which alarms read."""
_PREFIX = "DARKROOM_"


def _listed(value: object) -> object:
    return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value


def _table(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else str(value)


def endpoint_prefix(stage: str) -> str:
    """What the name of every SageMaker endpoint of a stage starts with. A stage's name has no dash, so no
    stage's prefix is the beginning of another's."""
    return f"darkroom-{stage}-"


class Settings(BaseModel):
    """Names are physical names, URLs or ARNs, `retention_days` days, `origins` those of web pages that may read the
    answers.

    `prices` tell what an hour of an instance type costs; an endpoint that never sleeps and had no job for
    `idle_hours` is reported, and with `idle_to_zero` lets go of its instances.
    `job_wait_seconds` and `job_run_seconds` are what SageMaker gives a job, `settle_after_seconds` is when the sweeper
    looks at one that nobody reports on. `dead_letter_queues` are `name|url|source` each, as `dead_letters.model.Queue`
    reads them.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    version: str
    jobs_table: str
    models_table: str
    keys_table: str
    pictures_bucket: str
    models_bucket: str
    events_queue_url: str
    imports_queue_url: str
    admin_secret: str
    results_topic: str
    worker_role: str
    instance_type: str
    worker_image: str | None = None
    prices: Annotated[dict[str, float], BeforeValidator(_table)] = {}
    idle_hours: float = 12.0
    idle_to_zero: bool = False
    dead_letter_queues: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    retention_days: int = 90
    feed_shards: int = 1
    allow_pickle: bool = False
    shared_history: bool = False
    requests_per_minute: int = 600
    job_wait_seconds: int = 21_600
    job_run_seconds: int = 3_600
    settle_after_seconds: int = 300
    max_open_jobs: int = 5_000
    max_open_jobs_per_owner: int = 200
    origins: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()

    @property
    def endpoint_prefix(self) -> str:
        """See the function of that name."""
        return endpoint_prefix(self.stage)

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, the way `from_environment` reads them."""
        return {
            _PREFIX + name.upper(): _written(value) for name, value in self.model_dump().items() if value is not None
        }

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; a missing one is a pydantic error that names it."""
        return cls.model_validate(
            {
                name: environment[_PREFIX + name.upper()]
                for name in cls.model_fields
                if _PREFIX + name.upper() in environment
            }
        )
