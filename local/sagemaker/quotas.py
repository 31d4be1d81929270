"""Service Quotas, as far as endpoints need it: how many instances of each type the account may have.

On AWS a quota is among the applied ones once it was ever set for the account. Here those are of the types that the knob
`quotas` names; of every other type there is the default alone, which is 0 in a new account.
"""

import hashlib
from collections.abc import Callable

from local.sagemaker.knobs import Chance
from local.sagemaker.listing import paged
from local.sagemaker.protocol import Document, Operation, ServiceError, service_model

PAGE = 100
_SUFFIX = " for endpoint usage"


class ServiceQuotas:
    """The two lists of quotas."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def operations(self) -> dict[str, Operation]:
        """The operations by their names in the protocol."""
        return {
            "ListServiceQuotas": self._page_of(self._applied),
            "ListAWSDefaultServiceQuotas": self._page_of(_defaults),
        }

    def _applied(self) -> list[Document]:
        return [_quota(kind, value) for kind, value in self._chance.knobs.quotas.items()]

    def _page_of(self, read: Callable[[], list[Document]]) -> Operation:
        def answer(parameters: Document) -> Document:
            if parameters["ServiceCode"] != "sagemaker":
                raise ServiceError("NoSuchResourceException", "The service is not known here.")
            page, token = paged(parameters, read(), "QuotaName", PAGE)
            return {"Quotas": page, **({"NextToken": token} if token else {})}

        return answer


def _defaults() -> list[Document]:
    return [_quota(kind, 0.0) for kind in _instance_types()]


def _instance_types() -> list[str]:
    """Every type that an endpoint may have, by botocore's model."""
    shape = service_model("sagemaker").shape_for("ProductionVariantInstanceType")
    return list(shape.metadata["enum"])


def _quota(kind: str, value: float) -> Document:
    # AWS's codes have no system either: a letter and eight hexadecimal digits.
    code = "L-" + hashlib.sha256(kind.encode()).hexdigest()[:8].upper()
    return {
        "ServiceCode": "sagemaker",
        "ServiceName": "Amazon SageMaker",
        "QuotaCode": code,
        "QuotaName": kind + _SUFFIX,
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }
