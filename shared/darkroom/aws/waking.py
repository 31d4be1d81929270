"""Two ways to set how many instances an endpoint has. Nobody has tried yet which of them AWS likes better: the setting
`wake_by` chooses one."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from darkroom.aws.endpoints import VARIANT
from darkroom.aws.scaling import variant_of
from darkroom.errors import Conflict, DarkroomError, Invalid, Missing

if TYPE_CHECKING:
    from types_boto3_application_autoscaling import ApplicationAutoScalingClient
    from types_boto3_sagemaker import SageMakerClient

_CHANGING = frozenset({"ResourceInUse", "ConcurrentUpdateException"})
_IN_PROGRESS = ("in-progress", "in progress")
_NOT_THERE = "Could not find"
_VALIDATION = "ValidationException"


class ByCount:
    """`darkroom.endpoints.ports.Waking`: the number of instances is set directly, with
    UpdateEndpointWeightsAndCapacities, which is also what Application Auto Scaling calls (service-linked role policy
    AWSApplicationAutoscalingSageMakerEndpointPolicy)."""

    def __init__(self, client: "SageMakerClient") -> None:
        self._client = client

    def wake(self, name: str) -> None:
        """See `Waking.wake`: one call."""
        self._set(name, 1)

    def keep(self, name: str, instances: int) -> None:
        """See `Waking.keep`: one call."""
        self._set(name, instances)

    def _set(self, name: str, instances: int) -> None:
        wanted: Any = [{"VariantName": VARIANT, "DesiredInstanceCount": instances}]
        try:
            self._client.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=wanted)
        except ClientError as error:
            raise _refusal(name, error) from error


class ByBounds:
    """`darkroom.endpoints.ports.Waking`: the bounds of the scalable target are moved, and Application Auto Scaling
    changes a number of instances that is outside of them (API reference, RegisterScalableTarget).

    Bounds that were moved stay so until somebody registers those that were asked for: see `Bounds.may_be_moved_to`.
    """

    def __init__(self, client: "ApplicationAutoScalingClient") -> None:
        self._client = client

    def wake(self, name: str) -> None:
        """See `Waking.wake`: one call, which raises the minimum to 1. Where the maximum is 0, because the endpoint was
        just put to sleep, a second call raises both."""
        try:
            self._client.register_scalable_target(**variant_of(name), MinCapacity=1)
        except ClientError as error:
            if _code(error) != _VALIDATION:
                raise _refusal(name, error) from error
            self._register(name, 1, 1)

    def keep(self, name: str, instances: int) -> None:
        """See `Waking.keep`: one call, which lowers the maximum."""
        self._register(name, 0, instances)

    def _register(self, name: str, least: int, most: int) -> None:
        try:
            self._client.register_scalable_target(**variant_of(name), MinCapacity=least, MaxCapacity=most)
        except ClientError as error:
            raise _refusal(name, error) from error


def _refusal(name: str, error: ClientError) -> DarkroomError:
    """What a refusal means. SageMaker's error code is the same for an endpoint that is changing, one that does not
    exist, and a value that it does not take; only the words tell them apart."""
    words = error.response["Error"].get("Message", "no reason given")[:500]
    if _code(error) in _CHANGING or any(word in words for word in _IN_PROGRESS):
        return Conflict("endpoint_changing", f"The endpoint {name} is changing: {words}")
    if words.startswith(_NOT_THERE):
        return Missing("endpoint_not_found", f"There is no endpoint {name!r}.")
    return Invalid("instances_refused", f"{_code(error)}: {words}")


def _code(error: ClientError) -> str:
    return error.response["Error"].get("Code", "")
