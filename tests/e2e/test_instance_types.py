"""An endpoint with two instance types on the local stack: jobs run on the second while the first is not to be had."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Running, txt2img
from tests.e2e.test_endpoints import simulator
from tests.support.waiting import eventually

NAME = "darkroom-local-types"
FIRST, SECOND = "ml.g5.xlarge", "ml.g4dn.xlarge"
HOUR = 0.736
"""What an hour of the second type costs (cdk.json leaves the prices of `settings.py`)."""
ROUNDED = 0.5e-6 + 0.5e-3 * HOUR / 3600
"""A cost has six decimals, and the seconds that it is made from have three."""
QUICK = {"waking_seconds": 1.0, "idle_seconds": 600}


def shown(darkroom: Running) -> dict[str, Any]:
    found: dict[str, Any] = darkroom.client.request("GET", f"/endpoints/{NAME}")
    return found


def running(darkroom: Running) -> dict[str, int]:
    return {each["instance_type"]: each["instances"] for each in shown(darkroom)["instance_types"]}


@pytest.fixture
def types(darkroom: Running) -> Iterator[Running]:
    yield darkroom
    darkroom.knobs()
    darkroom.command("endpoints", "delete", "types", "--yes")


def test_while_the_first_type_is_not_to_be_had_a_job_is_painted_on_the_second_and_costs_its_price(
    types: Running,
) -> None:
    types.knobs(**QUICK, no_capacity=[FIRST])
    made = types.command("endpoints", "create", "types", "--type", FIRST, "--type", SECOND)
    assert f"({FIRST}, {SECOND}" in made.stdout
    assert running(types) == {FIRST: 0, SECOND: 1}
    eventually(lambda: shown(types)["scaling"])
    job = types.client.settled(types.client.submit({**txt2img(), "endpoint": NAME})["id"], 60)
    assert (job["status"], job["instance_type"], job["cost_estimated"]) == ("succeed", SECOND, False)
    assert job["run_seconds"]
    assert job["cost"] == pytest.approx(job["run_seconds"] * HOUR / 3600, abs=ROUNDED)

    # Asleep, and no type is left: the job waits, and says so.
    none = [{"VariantName": "main", "DesiredInstanceCount": 0}]
    simulator(types, "sagemaker").update_endpoint_weights_and_capacities(
        EndpointName=NAME, DesiredWeightsAndCapacities=none
    )
    eventually(lambda: (shown(types)["instances"], shown(types)["status"]) == (0, "InService"))
    types.knobs(**QUICK, no_capacity=[FIRST, SECOND], provision_seconds=2)
    waiting = types.client.submit({**txt2img(seed=2), "endpoint": NAME})["id"]
    eventually(lambda: "not to be had" in (types.client.job(waiting)["phase_detail"] or ""))
    eventually(lambda: "InsufficientInstanceCapacity" in (shown(types)["failure"] or ""))
    assert types.client.job(waiting)["status"] == "in_progress"

    # The first one comes back, and is taken.
    types.knobs(**QUICK)
    job = types.client.settled(waiting, 120)
    assert (job["status"], job["instance_type"]) == ("succeed", FIRST)
    assert running(types) == {FIRST: 1, SECOND: 0}
