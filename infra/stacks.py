"""The two stacks of a stage."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aws_cdk import App
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.data_stack import DataStack
from infra.nag import acknowledge
from infra.service_stack import ServiceStack
from infra.stage import Stage
from layers.page import headers


def add_stacks(scope: Construct, stage: Stage, page: Path | None = None) -> tuple[DataStack, ServiceStack]:
    """Add the stage's stacks to `scope`, and acknowledge their findings. `page` is a folder with a build of the page;
    without one a stage with a page builds it. Raises BuildError when an asset cannot be built."""
    data = DataStack(scope, stage)
    service = ServiceStack(scope, stage, data, page)
    if stage.permissions_boundary:
        policy = iam.ManagedPolicy.from_managed_policy_name(service, "Boundary", stage.permissions_boundary)
        iam.PermissionsBoundary.of(service).apply(policy)
    acknowledge(data, service)
    return data, service


@contextmanager
def described(stage: Stage) -> Iterator[tuple[DataStack, ServiceStack]]:
    """The stacks of a stage for pages of the docs, which are made from the templates. These only say where the page
    goes, so an empty file takes the place of its build."""
    with tempfile.TemporaryDirectory() as page:
        (Path(page) / headers.ENTRY).touch()
        yield add_stacks(App(analytics_reporting=False), stage, Path(page))
