"""What a function is told about its surroundings: one frozen object, read once from the environment.

The stacks write the same object into every function's environment, so a name cannot differ
between who sets it and who reads it.
"""

import os
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

_PREFIX = "DARKROOM_"


def _listed(value: object) -> object:
    return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value


def endpoint_prefix(stage: str) -> str:
    """What the name of every SageMaker endpoint of a stage starts with. A stage's name has no dash, so no
    stage's prefix is the beginning of another's."""
    return f"darkroom-{stage}-"


class Settings(BaseModel):
    """Names are physical names or URLs, `retention_days` days, `origins` those of web pages that may read answers.

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
    dead_letter_queues: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    retention_days: int = 90
    feed_shards: int = 1
    allow_pickle: bool = False
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
            _PREFIX + name.upper(): ",".join(value) if isinstance(value, tuple) else str(value)
            for name, value in self.model_dump().items()
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
