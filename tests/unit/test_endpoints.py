"""Which endpoint a job goes to, and how long what was read about endpoints is used again."""

from typing import Any

import pytest

from darkroom.endpoints.model import Endpoint, Machine
from darkroom.endpoints.service import CACHE_SECONDS, Endpoints
from darkroom.errors import Conflict, Invalid
from tests.support.sagemaker import FakeOpenJobs, FakeSageMaker, FakeScaling, endpoint
from tests.unit.clocks import Clock


class CountingSageMaker(FakeSageMaker):
    """Counts how often the list of endpoints is read."""

    reads = 0

    def all(self) -> list:  # type: ignore[type-arg]
        self.reads += 1
        return super().all()


def endpoints_of(source: FakeSageMaker, jobs: FakeOpenJobs | None = None, **more: Any) -> Endpoints:
    return Endpoints(source, FakeScaling(), jobs or FakeOpenJobs(), "darkroom-test-", **more)


def test_the_list_of_endpoints_is_read_again_only_after_a_time() -> None:
    source, clock = CountingSageMaker(), Clock()
    endpoints = endpoints_of(source, monotonic=clock)
    for _ in range(5):
        assert endpoints.choose(None) == "darkroom-test-a"
    assert source.reads == 1
    clock.now = CACHE_SECONDS + 1
    endpoints.all()
    assert source.reads == 2


def test_the_list_is_read_again_before_an_endpoint_is_refused() -> None:
    source = CountingSageMaker()
    source.endpoints = [endpoint(status="Creating")]
    endpoints = endpoints_of(source)
    endpoints.all()
    source.endpoints = [endpoint()]
    assert endpoints.choose("darkroom-test-a") == "darkroom-test-a"


def test_open_jobs_are_counted_only_to_choose_between_endpoints() -> None:
    source, jobs = CountingSageMaker(), FakeOpenJobs(**{"darkroom-test-a": 2})
    assert endpoints_of(source, jobs).choose(None) == "darkroom-test-a"
    source.endpoints = [endpoint("darkroom-test-a"), endpoint("darkroom-test-b"), endpoint("darkroom-test-c", "Failed")]
    assert endpoints_of(source, jobs).choose("darkroom-test-b") == "darkroom-test-b"
    assert jobs.asked == 0
    assert endpoints_of(source, jobs).choose(None) == "darkroom-test-b"


@pytest.mark.parametrize(
    ("status", "name", "error", "code"),
    [
        ("Creating", "darkroom-test-a", Conflict, "endpoint_not_in_service"),
        ("InService", "darkroom-test-z", Invalid, "endpoint_unknown"),
        ("Failed", None, Conflict, "no_endpoint_available"),
    ],
)
def test_a_refusal_names_the_status(status: str, name: str | None, error: type[Exception], code: str) -> None:
    source = CountingSageMaker()
    source.endpoints = [endpoint(status=status)]
    with pytest.raises(error) as refused:
        endpoints_of(source).choose(name)
    assert refused.value.code == code  # type: ignore[attr-defined]
    if code == "endpoint_not_in_service":
        assert status in str(refused.value)


def test_an_endpoint_that_is_updating_takes_jobs_but_is_not_preferred() -> None:
    source = CountingSageMaker()
    source.endpoints = [endpoint("darkroom-test-a", "Updating"), endpoint("darkroom-test-b")]
    endpoints = endpoints_of(source, FakeOpenJobs(**{"darkroom-test-b": 9}))
    assert endpoints.choose(None) == "darkroom-test-b"
    assert endpoints.choose("darkroom-test-a") == "darkroom-test-a"
    assert [view.endpoint.usable for view in endpoints.views()] == [False, True]


def test_the_prefix_of_the_stage_may_be_left_out() -> None:
    assert endpoints_of(CountingSageMaker()).choose("a") == "darkroom-test-a"


def test_the_instance_type_is_read_once_and_again_for_a_new_endpoint_of_the_same_name() -> None:
    source = CountingSageMaker()
    calls: list[str] = []
    endpoints = endpoints_of(source)
    source.on_call = calls.append
    source.describe("darkroom-test-a")
    source.details["darkroom-test-a"].config = "c"
    calls.clear()
    assert [endpoints.machine("darkroom-test-a") for _ in range(3)] == [Machine("ml.g5.xlarge")] * 3
    assert calls == ["ListEndpoints", "DescribeEndpoint", "DescribeEndpointConfig", "ListTags"]
    # What it paints with stands in the same tags.
    assert endpoints.engine("darkroom-test-a") is None
    assert calls[4:] == []
    source.endpoints = [Endpoint("darkroom-test-a", "InService", "2026-02-02T00:00:00Z", "")]
    source.details["darkroom-test-a"].instance_type = "ml.g4dn.xlarge"
    endpoints.forget()
    assert endpoints.machine("darkroom-test-a") == Machine("ml.g4dn.xlarge")


def test_the_list_with_all_details_is_read_once_and_then_used_again() -> None:
    source = CountingSageMaker()
    calls: list[str] = []
    endpoints = endpoints_of(source, FakeOpenJobs(**{"darkroom-test-a": 2}))
    source.on_call = calls.append
    for _ in range(3):
        (view,) = endpoints.views()
    assert (view.open_jobs, view.details.current, view.bounds, view.scaling) == (2, 1, None, False)
    assert calls == ["ListEndpoints", "DescribeEndpoint", "ListTags"]
