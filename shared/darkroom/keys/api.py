"""What `/keys` takes and answers."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from darkroom.keys.model import Key, Role
from darkroom.times import iso, moment


def _not_a_number(value: object) -> object:
    """Refuse a number: pydantic would read it as a time, but the documented format is text."""
    if value is not None and not isinstance(value, str | datetime):
        raise ValueError("write a date-time with its zone, as in 2026-12-31T00:00:00Z")
    return value


class LimitsIn(BaseModel):
    """The key's own limits; null means the stage's limit."""

    model_config = ConfigDict(extra="forbid", strict=True)

    requests_per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = None
    open_jobs: Annotated[int, Field(ge=1, le=100_000, description="jobs that have not ended yet")] | None = None


class KeyIn(BaseModel):
    """A key to make. `name` is the owner of everything that is made with the key. It expires at `expires_at` or after
    `days`; after a year when neither is given."""

    model_config = ConfigDict(extra="forbid")

    MOST_DAYS: ClassVar[int] = 3650

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9._@-]*$")]
    role: Role
    days: Annotated[int, Field(strict=True, ge=1, le=MOST_DAYS)] | None = None
    expires_at: Annotated[AwareDatetime | None, BeforeValidator(_not_a_number)] = None
    limits: LimitsIn = LimitsIn()


class LimitsOut(BaseModel):
    """The key's own limits; null means that the stage's limit applies."""

    requests_per_minute: int | None
    open_jobs: int | None


class KeyOut(BaseModel):
    """A key. `prefix` is the beginning of its secret. Times are ISO 8601 in UTC; `last_used` is rounded to the hour."""

    id: str
    name: str
    role: Role
    prefix: str
    created_at: str
    last_used: str | None
    expires_at: str
    limits: LimitsOut

    @classmethod
    def of(cls, key: Key) -> "KeyOut":
        """The answer for a key."""
        limits = LimitsOut(requests_per_minute=key.limits.requests_per_minute, open_jobs=key.limits.open_jobs)
        return cls(
            id=key.id,
            name=key.name,
            role=key.role,
            prefix=key.prefix,
            created_at=key.created_at,
            last_used=key.last_used,
            expires_at=iso(moment(key.expires_at)),
            limits=limits,
        )


class KeyMade(KeyOut):
    """A new key with its `secret`, which is in this answer only and stored nowhere."""

    secret: str


class KeyList(BaseModel):
    """Keys, newest first. Send `next` as `before` to go on; it is null only at the end."""

    keys: list[KeyOut]
    next: str | None
