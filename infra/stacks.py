"""The two stacks of a stage."""

from constructs import Construct

from infra.data_stack import DataStack
from infra.nag import acknowledge
from infra.service_stack import ServiceStack
from infra.stage import Stage


def add_stacks(scope: Construct, stage: Stage) -> tuple[DataStack, ServiceStack]:
    """Add the stage's stacks to `scope`, and acknowledge their findings. Raises BuildError when an asset cannot be
    built."""
    data = DataStack(scope, stage)
    service = ServiceStack(scope, stage, data)
    acknowledge(data, service)
    return data, service
