"""Which of an endpoint's instance types fits what a worker tells of its machine."""

import pytest

from darkroom.jobs.contract import WorkerMachine
from darkroom.jobs.machines import possible

ALL = ("ml.g4dn.xlarge", "ml.g5.xlarge", "ml.g5.2xlarge", "ml.g6.xlarge", "ml.g6e.xlarge", "ml.p4d.24xlarge")


@pytest.mark.parametrize(
    ("gpu", "cpus", "left"),
    [
        ("Tesla T4", 4, ["ml.g4dn.xlarge"]),
        ("NVIDIA A10G", 4, ["ml.g5.xlarge"]),
        ("NVIDIA A10G", 8, ["ml.g5.2xlarge"]),
        ("NVIDIA A10G", None, ["ml.g5.xlarge", "ml.g5.2xlarge"]),
        ("NVIDIA A10G", 96, ["ml.g5.xlarge", "ml.g5.2xlarge"]),
        # The L40S is no L4, and the A100 no A10G.
        ("NVIDIA L4", 4, ["ml.g6.xlarge"]),
        ("NVIDIA L40S", 4, ["ml.g6e.xlarge"]),
        ("NVIDIA A100-SXM4-40GB", 96, ["ml.p4d.24xlarge"]),
        # Without a GPU that fits, the processors may tell.
        (None, 96, ["ml.p4d.24xlarge"]),
        ("Radeon", 8, ["ml.g5.2xlarge"]),
        ("Radeon", 7, list(ALL)),
        (None, None, list(ALL)),
    ],
)
def test_the_gpu_tells_the_family_and_the_processors_the_size(
    gpu: str | None, cpus: int | None, left: list[str]
) -> None:
    assert list(possible(ALL, WorkerMachine(gpu=gpu, cpus=cpus))) == left


def test_a_type_that_is_told_counts_only_if_it_is_the_endpoints_own() -> None:
    assert possible(ALL, WorkerMachine(instance_type="ml.g6.xlarge", gpu="Tesla T4")) == ("ml.g6.xlarge",)
    assert possible(ALL, WorkerMachine(instance_type="ml.p5.48xlarge", gpu="Tesla T4")) == ("ml.g4dn.xlarge",)
    assert possible(ALL, None) == ALL
