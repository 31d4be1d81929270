"""The budgets of AWS calls, and that the counting counts."""

from bench.calls import counted, measure
from tests.support.http import call
from tests.support.stage import Stage


def test_no_operation_makes_more_aws_calls_than_its_budget() -> None:
    for budget, calls in measure():
        assert calls.total() == budget.calls, f"{budget.name}: {dict(calls)}"


def test_a_call_more_would_be_seen(stage: Stage) -> None:
    call("GET", "/ping")
    with counted(stage) as calls:
        call("GET", "/jobs?limit=3")
        call("GET", "/endpoints")
    # An endpoint takes a Describe and its tags; the rest is once for all: a Query of the page and one of the open jobs.
    per_endpoint, for_all = ("DescribeEndpoint", "ListTags"), ("ListEndpoints", "DescribeScalableTargets")
    assert dict(calls) == {"Query": 2, **dict.fromkeys(per_endpoint + for_all, 1)}
