"""The settings of the simulator, which are given when it starts."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SimulatorSettings:
    """`worker` and `aws` are base URLs, `state` is the folder of the database. `creating_seconds` is how long it takes
    to create, update or delete an endpoint. `idle_seconds` is how long an endpoint with a scaling policy is without
    work before it scales in, unless the knob of that name is set.
    """

    worker: str
    aws: str
    state: Path
    region: str = "us-east-1"
    account: str = "000000000000"
    creating_seconds: float = 1.0
    idle_seconds: float = 600.0

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a resource; SageMaker writes names in ARNs in lower case."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name.lower()}"
