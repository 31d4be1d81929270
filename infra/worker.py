"""The worker's package of a stage, if there is one."""

from infra.bundling import ROOT, BuildError
from infra.stage import NO_PACKAGE, Stage
from layers.worker.package import Package, PackageError, find


def package(stage: Stage) -> Package | None:
    """The package that `make worker` built for the stage's base; None where the stage has a container of its own.
    Raises BuildError for one that is older than its sources."""
    if stage.worker_image or stage.worker_package == NO_PACKAGE:
        return None
    try:
        return find(ROOT / stage.worker_package, stage.worker_base)
    except PackageError as error:
        raise BuildError(str(error)) from error
