"""What CloudFormation tells of the stacks of a stage."""

from collections.abc import Iterator, Mapping
from typing import Any


def stack_names(stage: str) -> tuple[str, str]:
    """The names of the data stack and the service stack."""
    return f"Darkroom-{stage}-data", f"Darkroom-{stage}-service"


def resources(cloudformation: Any, stack: str) -> Iterator[Mapping[str, Any]]:
    """The summaries of a deployed stack's resources, as ListStackResources has them."""
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        yield from page["StackResourceSummaries"]
