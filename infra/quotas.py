"""Quotas of an AWS account, by name, and how to ask AWS for more."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

_SERVICES = {"lambda": "AWS Lambda", "sagemaker": "Amazon SageMaker"}
"""The services' names in the console."""


@dataclass(frozen=True)
class Quota:
    """A quota of a service: `code` as in `L-B99A9384`."""

    service: str
    code: str
    name: str
    value: float = 0.0


def endpoint_usage(instance_type: str) -> str:
    """The name of the quota of instances of a type that endpoints may have together."""
    return f"{instance_type} for endpoint usage"


def find(service_quotas: Any, service: str, names: Collection[str]) -> dict[str, Quota]:
    """Those quotas of a service that have these names, by name.

    AWS lists a quota among the applied ones once it was ever set for the account, and only among its defaults before.
    """
    found: dict[str, Quota] = {}
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        if missing := set(names) - found.keys():
            listed = _listed(service_quotas, operation, service)
            found |= {quota.name: quota for quota in listed if quota.name in missing}
    return found


def how_to_raise(quota: Quota, region: str, wanted: int) -> tuple[str, ...]:
    """The steps to ask AWS for a higher quota: a sentence for the console, and the AWS command line's command."""
    return (
        f'Ask AWS for more. In the console: Service Quotas, {_SERVICES[quota.service]}, "{quota.name}" ({quota.code}), '
        "Request increase at account level. Or:",
        f"aws service-quotas request-service-quota-increase --region {region} --service-code {quota.service} "
        f"--quota-code {quota.code} --desired-value {wanted}",
        "AWS answers within minutes to days; a request that it refuses by itself can be made as a support case.",
    )


def _listed(service_quotas: Any, operation: str, service: str) -> Iterator[Quota]:
    for page in service_quotas.get_paginator(operation).paginate(ServiceCode=service):
        for row in page["Quotas"]:
            # A quota that AWS could not read has an ErrorReason and no value.
            value = row.get("Value", math.nan)
            if not math.isnan(value):
                yield Quota(service, row["QuotaCode"], row["QuotaName"], value)
