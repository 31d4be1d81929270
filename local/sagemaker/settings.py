"""What the simulator is told when it starts."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SimulatorSettings:
    """`worker` and `aws` are base URLs, `state` a folder; `creating_seconds` is how long an endpoint
    takes to come into service, to be updated and, equally, to go. `idle_seconds` is how long one with a scaling
    policy is without work before it scales in, unless the knob of that name says otherwise.
    """

    worker: str
    aws: str
    state: Path
    region: str = "us-east-1"
    account: str = "000000000000"
    creating_seconds: float = 1.0
    idle_seconds: float = 600.0

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a resource; SageMaker puts names into ARNs in lower case."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name.lower()}"
