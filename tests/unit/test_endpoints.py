"""Which endpoint a job goes to, and how fresh that knowledge is."""

import pytest

from darkroom.endpoints.service import CACHE_SECONDS, Endpoints
from darkroom.errors import Conflict, Invalid
from tests.support.sagemaker import FakeSageMaker, endpoint


class Counting(FakeSageMaker):
    reads = 0

    def all(self) -> list:  # type: ignore[type-arg]
        self.reads += 1
        return super().all()


def none_open() -> dict[str, int]:
    return {}


def test_a_warm_function_asks_sagemaker_once_in_a_while() -> None:
    source, now = Counting(), [0.0]
    endpoints = Endpoints(source, clock=lambda: now[0])
    for _ in range(5):
        assert endpoints.choose(None, none_open) == "darkroom-test-a"
    assert source.reads == 1
    now[0] = CACHE_SECONDS + 1
    endpoints.all()
    assert source.reads == 2


def test_an_endpoint_that_came_into_service_a_second_ago_is_not_refused_from_memory() -> None:
    source = Counting()
    source.endpoints = [endpoint(status="Creating")]
    endpoints = Endpoints(source)
    endpoints.all()
    source.endpoints = [endpoint()]
    assert endpoints.choose("darkroom-test-a", none_open) == "darkroom-test-a"


def test_open_jobs_are_counted_only_when_there_is_a_choice() -> None:
    def must_not_be_asked() -> dict[str, int]:
        raise AssertionError

    source = Counting()
    assert Endpoints(source).choose(None, must_not_be_asked) == "darkroom-test-a"
    source.endpoints = [endpoint("darkroom-test-a"), endpoint("darkroom-test-b"), endpoint("c", "Failed")]
    assert Endpoints(source).choose("darkroom-test-b", must_not_be_asked) == "darkroom-test-b"
    assert Endpoints(source).choose(None, lambda: {"darkroom-test-a": 2}) == "darkroom-test-b"


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
        Endpoints(source).choose(wanted, none_open)
    assert refused.value.code == code  # type: ignore[attr-defined]
    if code == "endpoint_not_in_service":
        assert status in str(refused.value)
