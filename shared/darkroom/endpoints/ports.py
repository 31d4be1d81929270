"""What the endpoints feature needs from the outside."""

from typing import Protocol

from darkroom.endpoints.model import Endpoint


class EndpointSource(Protocol):
    """SageMaker itself: nothing about endpoints is kept anywhere else."""

    def all(self) -> list[Endpoint]:
        """Every endpoint of this stage, newest first."""
