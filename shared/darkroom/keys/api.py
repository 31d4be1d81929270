"""What `/keys` takes and answers."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from darkroom.keys.model import Key, Role
from darkroom.times import iso, moment


def _text(value: object) -> object:
    """Pydantic would take a number for a moment too, which the documented format does not say."""
    if value is not None and not isinstance(value, str | datetime):
        raise ValueError("write a date-time with its zone, as in 2026-12-31T00:00:00Z")
    return value


class LimitsIn(BaseModel):
    """What the key may do at most; where nothing is said, the stage's own limit holds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    requests_per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = None
    open_jobs: Annotated[int, Field(ge=1, le=100_000, description="jobs that are not settled yet")] | None = None


class KeyIn(BaseModel):
    """A key to make. `name` is the owner of all that is made with it. It ends at `expires_at` or after `days`,
    after a year when neither is given."""

    model_config = ConfigDict(extra="forbid")

    MOST_DAYS: ClassVar[int] = 3650

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9._@-]*$")]
    role: Role
    days: Annotated[int, Field(strict=True, ge=1, le=MOST_DAYS)] | None = None
    expires_at: Annotated[AwareDatetime | None, BeforeValidator(_text)] = None
    limits: LimitsIn = LimitsIn()


class LimitsOut(BaseModel):
    """The key's own limits; null where the stage's own limit holds."""

    requests_per_minute: int | None
    open_jobs: int | None


class KeyOut(BaseModel):
    """A key. `prefix` is how its secret begins, `last_used` is to the hour, times are ISO 8601 in UTC."""

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
        """The key as the API shows it."""
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
    """A new key. Its `secret` is shown this once and kept nowhere."""

    secret: str


class KeyList(BaseModel):
    """Keys, newest first. Send `next` as `before` to go on; it is null only at the end."""

    keys: list[KeyOut]
    next: str | None
