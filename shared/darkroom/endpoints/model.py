"""SageMaker endpoints as Darkroom sees them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoint:
    """An endpoint: `status` is SageMaker's own word (`Creating`, `InService`, …), times are ISO 8601 in UTC."""

    name: str
    status: str
    created_at: str
    modified_at: str

    @property
    def usable(self) -> bool:
        """Only an InService endpoint takes jobs."""
        return self.status == "InService"
