"""The knobs: what can be made to go wrong, and whether it does this time."""

import random

from pydantic import BaseModel, ConfigDict, Field

from local.sagemaker.backlog import Backlog
from local.sagemaker.store import Documents


class Knobs(BaseModel):
    """Every knob at its harmless default. Rates are shares of the invocations, from 0 to 1.

    `seed` makes a run repeat: what happens to an invocation depends only on the seed and on how many
    invocations came since the knobs were set.
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
    include_response: bool = Field(default=True, description="honour IncludeInferenceResponseIn")
    response_as_text: bool = Field(default=False, description="include it as text, without an encoding")
    failure_has_response_parameters: bool = False
    notify_expired: bool = Field(default=False, description="send a Failed notice when a request expires")
    seed: int | None = None


class Chance:
    """The knobs as they stand, kept over restarts, and the dice."""

    def __init__(self, documents: Documents, backlog: Backlog) -> None:
        self._documents = documents
        self._backlog = backlog
        kept = documents.get("knobs", "current") or {"knobs": {}, "since": 0}
        self.knobs = Knobs.model_validate(kept["knobs"])
        self._since: int = kept["since"]

    def set(self, knobs: Knobs) -> None:
        """Put every knob where `knobs` says; the dice begin anew with the next invocation."""
        self._since = self._backlog.last()
        self._keep(knobs)

    def happens(self, knob: str, sequence: int) -> bool:
        """Whether the named rate strikes this invocation; the same answer each time while a seed is set."""
        rate: float = getattr(self.knobs, knob)
        if self.knobs.seed is None:
            return random.random() < rate  # noqa: S311 - faults, not secrets
        dice = random.Random(f"{self.knobs.seed}/{knob}/{sequence - self._since}")  # noqa: S311
        return dice.random() < rate

    def fails(self, sequence: int) -> bool:
        """Whether this invocation fails without asking the worker; counts `fail_next` down."""
        if self.knobs.fail_next:
            self._keep(self.knobs.model_copy(update={"fail_next": self.knobs.fail_next - 1}))
            return True
        return self.happens("failure_rate", sequence)

    def _keep(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self._documents.put("knobs", "current", {"knobs": knobs.model_dump(), "since": self._since})
