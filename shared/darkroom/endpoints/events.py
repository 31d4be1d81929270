"""The state events of endpoints (SageMaker Developer Guide, "Events that Amazon SageMaker AI sends to Amazon
EventBridge": `SageMaker Endpoint State Change`)."""

import json

from darkroom.dead_letters.model import About


class UnknownEvent(Exception):
    """A message that is no state event of an endpoint. It stays in the queue and becomes a dead letter."""


def endpoint_in(body: str) -> str:
    """The name of the endpoint that an event is about. The state in the event is not used: events arrive twice, late
    and out of order, so SageMaker is asked for the state instead. Raises UnknownEvent."""
    try:
        name = json.loads(body)["detail"]["EndpointName"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnknownEvent("no state event of an endpoint") from error
    if not isinstance(name, str) or not name:
        raise UnknownEvent("a state event without an endpoint")
    return name


def about(body: str) -> About:
    """What may be shown of a message in this queue. Never raises."""
    try:
        return About("endpoint", endpoint_in(body))
    except UnknownEvent as unknown:
        return About("unknown", reason=str(unknown))
