"""Service Quotas as a real client sees it: the quotas of endpoints' instances."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra import quotas
from tests.contract.stage import Stage, client, refusal


@pytest.fixture
def service_quotas(sagemaker_stage: Stage) -> Iterator[Any]:
    sagemaker_stage.knobs(quotas={"ml.g5.xlarge": 2})
    yield client("service-quotas", sagemaker_stage.simulator)
    sagemaker_stage.knobs()


def test_what_was_granted_is_applied_and_everything_else_has_a_default_of_0(service_quotas: Any) -> None:
    applied = service_quotas.list_service_quotas(ServiceCode="sagemaker")["Quotas"]
    assert [(quota["QuotaName"], quota["Value"]) for quota in applied] == [("ml.g5.xlarge for endpoint usage", 2.0)]
    pages = service_quotas.get_paginator("list_aws_default_service_quotas").paginate(ServiceCode="sagemaker")
    lists = [page["Quotas"] for page in pages]
    assert len(lists) > 1
    assert {quota["Value"] for page in lists for quota in page} == {0.0}
    assert len({quota["QuotaCode"] for page in lists for quota in page}) == sum(map(len, lists))


def test_the_preflight_finds_a_granted_quota_and_a_default_one(service_quotas: Any) -> None:
    names = [quotas.endpoint_usage(kind) for kind in ("ml.g5.xlarge", "ml.p4d.24xlarge", "ml.none.such")]
    found = quotas.find(service_quotas, "sagemaker", names)
    assert {name: quota.value for name, quota in found.items()} == {names[0]: 2.0, names[1]: 0.0}


def test_an_unknown_service_and_a_throttled_call_are_refused(sagemaker_stage: Stage, service_quotas: Any) -> None:
    refusal(service_quotas.list_service_quotas, "NoSuchResourceException", ServiceCode="nothing")
    sagemaker_stage.knobs(fail_calls={"ListServiceQuotas": 1})
    refusal(service_quotas.list_service_quotas, "ThrottlingException", ServiceCode="sagemaker")
    assert service_quotas.list_service_quotas(ServiceCode="sagemaker")["Quotas"]
