"""The two stacks of a stage."""

from aws_cdk import aws_iam as iam
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
    if stage.permissions_boundary:
        policy = iam.ManagedPolicy.from_managed_policy_name(service, "Boundary", stage.permissions_boundary)
        iam.PermissionsBoundary.of(service).apply(policy)
    acknowledge(data, service)
    return data, service
