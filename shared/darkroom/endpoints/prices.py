"""What an hour of an endpoint's instance costs."""

from collections.abc import Mapping
from dataclasses import dataclass

from darkroom.endpoints.model import EndpointTags


@dataclass(frozen=True)
class Price:
    """What an hour of an endpoint's instance costs in US dollars, None where the stage has no price of its type. Of an
    endpoint with several types the dearest counts."""

    instance_type: str | None
    an_hour: float | None

    def of(self, hours: float) -> float | None:
        """What so many hours cost."""
        return None if self.an_hour is None else round(self.an_hour * hours, 2)


def price(tags: EndpointTags, prices: Mapping[str, float]) -> Price:
    """The price of an endpoint's instance by the stage's prices. It is not known while one of its types has none."""
    types = tags.instance_types
    known = [(prices[name], name) for name in types if name in prices]
    if not known or len(known) < len(types):
        return Price(next((name for name in types if name not in prices), None), None)
    dearest, name = max(known)
    return Price(name, dearest)
