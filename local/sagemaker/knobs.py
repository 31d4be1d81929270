"""The knobs: faults that can be switched on, and the random choice whether one happens this time."""

import random
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from local.sagemaker.backlog import Backlog
from local.sagemaker.store import Documents


class Knobs(BaseModel):
    """The settings of all faults; by default there are none. Rates are shares of invocations or events, from 0 to 1.

    With a `seed` a run can be repeated: what happens to an invocation or event then depends only on the seed and on how
    many of them came since the knobs were set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_seconds: float = Field(default=0.0, ge=0, description="wait before the worker is asked")
    failure_rate: float = Field(default=0.0, ge=0, le=1, description="as if the worker answered 500")
    fail_next: int = Field(default=0, ge=0, description="that many next invocations fail the same way")
    garbage_rate: float = Field(default=0.0, ge=0, le=1, description="the worker's answer becomes garbage")
    lose_rate: float = Field(default=0.0, ge=0, le=1, description="no notice is sent")
    duplicate_rate: float = Field(default=0.0, ge=0, le=1, description="the notice is sent twice")
    late_rate: float = Field(default=0.0, ge=0, le=1, description="the notice comes `late_seconds` later")
    late_seconds: float = Field(default=5.0, ge=0)
    reorder_rate: float = Field(default=0.0, ge=0, le=1, description="the next notice overtakes this one")
    reorder_seconds: float = Field(default=2.0, ge=0, description="how long it waits for the next one at most")
    include_response: bool = Field(default=True, description="honour IncludeInferenceResponseIn")
    response_as_text: bool = Field(default=False, description="include it as text, without an encoding")
    failure_has_response_parameters: bool = False
    expiry_notice: Literal["Expired", "Failed", "none"] = Field(
        default="Expired", description="the invocationStatus of the notice for a request that expires in line"
    )
    output_elsewhere: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._/-]+$",
        description="answers go under this prefix of the output bucket, not where they are asked",
    )
    lose_events_rate: float = Field(default=0.0, ge=0, le=1, description="a state event is never sent")
    duplicate_events_rate: float = Field(default=0.0, ge=0, le=1, description="a state event is sent twice")
    fail_calls: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default={}, description="by operation: that many next calls of it are answered with a ThrottlingException"
    )
    alarms: bool = Field(default=True, description="alarms start the policies that they name; false: none does")
    waking_seconds: float = Field(default=1.5, ge=0, description="until another instance serves")
    no_capacity: list[str] = Field(default=[], description="instance types of which there is none now")
    provision_seconds: float | None = Field(
        default=None, gt=0, description="how long a change looks for instances; null: as the configuration says"
    )
    idle_seconds: float | None = Field(
        default=None, ge=0, description="without work until an endpoint scales in; null: as told at the start"
    )
    quotas: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={"ml.g4dn.xlarge": 1.0, "ml.g5.xlarge": 1.0, "ml.m5.large": 4.0},
        description="by instance type: how many of them AWS has granted to the account's endpoints",
    )
    seed: int | None = None


class Chance:
    """The current knobs, which are stored, and the random choice by their rates."""

    def __init__(self, documents: Documents, backlog: Backlog, idle_seconds: float = 600.0) -> None:
        self._documents = documents
        self._backlog = backlog
        self._idle_seconds = idle_seconds
        kept = documents.get("knobs", "current") or {"knobs": {}, "since": 0}
        self.knobs = Knobs.model_validate(kept["knobs"])
        self._since: int = kept["since"]
        self._events_since: int = kept.get("events_since", 0)

    @property
    def idle_seconds(self) -> float:
        """How long an endpoint is without work before it scales in."""
        return self._idle_seconds if self.knobs.idle_seconds is None else self.knobs.idle_seconds

    def set(self, knobs: Knobs) -> None:
        """Set all knobs. With a seed, the random choices start again with the next invocation and event."""
        self._since = self._backlog.last()
        self._events_since = self._backlog.last("events")
        self._keep(knobs)

    def happens(self, knob: str, sequence: int) -> bool:
        """Whether the fault of this rate happens to an invocation; with a seed, always the same answer."""
        return self._strikes(knob, sequence - self._since)

    def happens_to_event(self, knob: str, number: int) -> bool:
        """Whether the fault of this rate happens to a state event, likewise."""
        return self._strikes(knob, number - self._events_since)

    def throttles(self, operation: str) -> bool:
        """Whether this call of an operation is throttled; counts its entry in `fail_calls` down."""
        left = self.knobs.fail_calls.get(operation, 0)
        if left:
            counted = self.knobs.fail_calls | {operation: left - 1}
            self._keep(self.knobs.model_copy(update={"fail_calls": counted}))
        return left > 0

    def fails(self, sequence: int) -> bool:
        """Whether this invocation fails without asking the worker; counts `fail_next` down."""
        if self.knobs.fail_next:
            self._keep(self.knobs.model_copy(update={"fail_next": self.knobs.fail_next - 1}))
            return True
        return self.happens("failure_rate", sequence)

    def _keep(self, knobs: Knobs) -> None:
        self.knobs = knobs
        kept = {"knobs": knobs.model_dump(), "since": self._since, "events_since": self._events_since}
        self._documents.put("knobs", "current", kept)

    def _strikes(self, knob: str, position: int) -> bool:
        rate: float = getattr(self.knobs, knob)
        if self.knobs.seed is None:
            return random.random() < rate  # noqa: S311 - faults, not secrets
        return random.Random(f"{self.knobs.seed}/{knob}/{position}").random() < rate  # noqa: S311
