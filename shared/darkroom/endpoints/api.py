"""What `/endpoints` answers."""

from pydantic import BaseModel

from darkroom.endpoints.model import Endpoint


class EndpointOut(BaseModel):
    """An endpoint; `usable` tells whether it takes jobs now, `status` is SageMaker's word for it."""

    name: str
    status: str
    usable: bool
    created_at: str
    modified_at: str

    @classmethod
    def of(cls, endpoint: Endpoint) -> "EndpointOut":
        """The endpoint as the API shows it."""
        return cls(
            name=endpoint.name,
            status=endpoint.status,
            usable=endpoint.usable,
            created_at=endpoint.created_at,
            modified_at=endpoint.modified_at,
        )


class EndpointList(BaseModel):
    """Endpoints, newest first."""

    endpoints: list[EndpointOut]
