"""Which endpoint a job goes to, and how fresh that knowledge is."""

from typing import Any

import pytest

from darkroom.endpoints.model import Endpoint, Machine
from darkroom.endpoints.service import CACHE_SECONDS, Endpoints
from darkroom.errors import Conflict, Invalid
from tests.support.sagemaker import FakeOpenJobs, FakeSageMaker, FakeScaling, endpoint


class Counting(FakeSageMaker):
    reads = 0

    def all(self) -> list:  # type: ignore[type-arg]
        self.reads += 1
        return super().all()


def endpoints_of(source: FakeSageMaker, jobs: FakeOpenJobs | None = None, **more: Any) -> Endpoints:
    return Endpoints(source, FakeScaling(), jobs or FakeOpenJobs(), "darkroom-test-", **more)


def test_a_warm_function_asks_sagemaker_once_in_a_while() -> None:
    source, now = Counting(), [0.0]
    endpoints = endpoints_of(source, monotonic=lambda: now[0])
    for _ in range(5):
        assert endpoints.choose(None) == "darkroom-test-a"
    assert source.reads == 1
    now[0] = CACHE_SECONDS + 1
    endpoints.all()
    assert source.reads == 2


def test_an_endpoint_that_came_into_service_a_second_ago_is_not_refused_from_memory() -> None:
    source = Counting()
    source.endpoints = [endpoint(status="Creating")]
    endpoints = endpoints_of(source)
    endpoints.all()
    source.endpoints = [endpoint()]
    assert endpoints.choose("darkroom-test-a") == "darkroom-test-a"


def test_open_jobs_are_counted_only_when_there_is_a_choice() -> None:
    source, jobs = Counting(), FakeOpenJobs(**{"darkroom-test-a": 2})
    assert endpoints_of(source, jobs).choose(None) == "darkroom-test-a"
    source.endpoints = [endpoint("darkroom-test-a"), endpoint("darkroom-test-b"), endpoint("darkroom-test-c", "Failed")]
    assert endpoints_of(source, jobs).choose("darkroom-test-b") == "darkroom-test-b"
    assert jobs.asked == 0
    assert endpoints_of(source, jobs).choose(None) == "darkroom-test-b"


@pytest.mark.parametrize(
    ("status", "wanted", "error", "code"),
    [
        ("Creating", "darkroom-test-a", Conflict, "endpoint_not_in_service"),
        ("InService", "darkroom-test-z", Invalid, "endpoint_unknown"),
        ("Failed", None, Conflict, "no_endpoint_available"),
    ],
)
def test_a_refusal_names_the_status(status: str, wanted: str | None, error: type[Exception], code: str) -> None:
    source = Counting()
    source.endpoints = [endpoint(status=status)]
    with pytest.raises(error) as refused:
        endpoints_of(source).choose(wanted)
    assert refused.value.code == code  # type: ignore[attr-defined]
    if code == "endpoint_not_in_service":
        assert status in str(refused.value)


def test_an_endpoint_that_changes_its_instances_takes_jobs_but_comes_second() -> None:
    source = Counting()
    source.endpoints = [endpoint("darkroom-test-a", "Updating"), endpoint("darkroom-test-b")]
    endpoints = endpoints_of(source, FakeOpenJobs(**{"darkroom-test-b": 9}))
    assert endpoints.choose(None) == "darkroom-test-b"
    assert endpoints.choose("darkroom-test-a") == "darkroom-test-a"
    assert [view.endpoint.usable for view in endpoints.views()] == [False, True]


def test_the_stages_prefix_may_be_left_out() -> None:
    assert endpoints_of(Counting()).choose("a") == "darkroom-test-a"


def test_what_an_endpoint_runs_on_is_looked_up_once_and_again_for_a_new_one_of_its_name() -> None:
    source = Counting()
    calls: list[str] = []
    endpoints = endpoints_of(source)
    source.on_call = calls.append
    source.describe("darkroom-test-a")
    source.details["darkroom-test-a"].config = "c"
    calls.clear()
    assert [endpoints.machine("darkroom-test-a") for _ in range(3)] == [Machine("ml.g5.xlarge")] * 3
    assert calls == ["ListEndpoints", "DescribeEndpoint", "DescribeEndpointConfig"]
    source.endpoints = [Endpoint("darkroom-test-a", "InService", "2026-02-02T00:00:00Z", "")]
    source.details["darkroom-test-a"].instance_type = "ml.g4dn.xlarge"
    endpoints.forget()
    assert endpoints.machine("darkroom-test-a") == Machine("ml.g4dn.xlarge")


def test_a_list_is_read_once_in_a_while_with_everything_in_it() -> None:
    source = Counting()
    calls: list[str] = []
    endpoints = endpoints_of(source, FakeOpenJobs(**{"darkroom-test-a": 2}))
    source.on_call = calls.append
    for _ in range(3):
        (view,) = endpoints.views()
    assert (view.open_jobs, view.details.current, view.bounds, view.scaling) == (2, 1, None, False)
    assert calls == ["ListEndpoints", "DescribeEndpoint", "ListTags"]
