"""What `/costs` and `/budgets` take and answer. All amounts are US dollars, by the stage's own prices."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from darkroom.costs.model import Budget, Count
from darkroom.costs.overview import EndpointCost, TypeCost
from darkroom.jobs.api import BudgetOut

MONTH = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
OWNER = r"^[a-z0-9][a-z0-9._@-]*$"


def _rounded(value: float) -> float:
    """DynamoDB takes no number so near to 0 as JSON can have it (API reference, AttributeValue)."""
    return round(value, 6)


class BudgetIn(BaseModel):
    """A budget to set: US dollars a month, and from which share of it on to warn. Both are kept to six digits behind
    the point."""

    model_config = ConfigDict(extra="forbid", strict=True)

    monthly: Annotated[float, Field(ge=0, le=1_000_000_000, allow_inf_nan=False), AfterValidator(_rounded)]
    warn_at: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), AfterValidator(_rounded)] = 0.8


class BudgetSet(BaseModel):
    """A budget as an admin set it; `owner` is null for that of the stage."""

    owner: str | None
    monthly: float
    warn_at: float
    set_by: str
    set_at: str

    @classmethod
    def of(cls, budget: Budget) -> "BudgetSet":
        """The answer for a budget."""
        return cls(
            owner=budget.owner,
            monthly=budget.monthly,
            warn_at=budget.warn_at,
            set_by=budget.set_by,
            set_at=budget.set_at,
        )


class BudgetList(BaseModel):
    """Every budget, that of the stage first, then by owner. GET /costs says how much of each is used."""

    budgets: list[BudgetSet]


class TypeCostOut(BaseModel):
    """Instances of one type: for how many hours they were awake, several at once added up; `price` is that of an hour.
    Price and cost are null where the stage has no price of the type."""

    instance_type: str
    hours: float
    price: float | None
    cost: float | None

    @classmethod
    def of(cls, kind: TypeCost) -> "TypeCostOut":
        """The answer for a type."""
        cost = None if kind.cost is None else round(kind.cost, 4)
        return cls(
            instance_type=kind.instance_type,
            hours=round(kind.metered.seconds / 3600, 4),
            price=kind.price,
            cost=cost,
        )


class EndpointCostOut(BaseModel):
    """An endpoint: how long its instances were awake, what that cost, and how much of it jobs cost. The rest is
    overhead: instances that were `waking`, and `idle` ones. `name` is empty for jobs that got no endpoint."""

    name: str
    awake_hours: float
    cost: float
    jobs: int
    jobs_cost: float
    waking: float
    idle: float
    unpriced: bool = Field(description="whether an instance type has no price, so that the cost is higher")
    types: list[TypeCostOut]

    @classmethod
    def of(cls, endpoint: EndpointCost) -> "EndpointCostOut":
        """The answer for an endpoint."""
        return cls(
            name=endpoint.name,
            awake_hours=round(endpoint.seconds / 3600, 4),
            cost=round(endpoint.cost, 4),
            jobs=endpoint.jobs.jobs,
            jobs_cost=round(endpoint.jobs.cost, 4),
            waking=round(endpoint.waking, 4),
            idle=round(endpoint.idle, 4),
            unpriced=endpoint.unpriced,
            types=[TypeCostOut.of(kind) for kind in endpoint.types],
        )


class OwnerCostOut(BaseModel):
    """An owner: how many jobs, and what they cost. Of `unknown` ended jobs the cost is not known, and `estimated` of
    them count as if they had run on the dearer of two instance types."""

    owner: str
    jobs: int
    cost: float
    unknown: int
    estimated: int
    budget: BudgetOut | None

    @classmethod
    def of(cls, owner: str, count: Count, budget: BudgetOut | None) -> "OwnerCostOut":
        """The answer for an owner."""
        return cls(
            owner=owner,
            jobs=count.jobs,
            cost=round(count.cost, 4),
            unknown=count.unknown,
            estimated=count.estimated,
            budget=budget,
        )


class OverheadOut(BaseModel):
    """What belongs to no job: instances that were `waking`, and `idle` ones."""

    waking: float
    idle: float
    cost: float


class CostsOut(BaseModel):
    """The costs of a month, until now. `total` is what the instances of all endpoints cost, and `jobs_cost` the part of
    it that jobs cost; for an artist both are the cost of the own jobs, and endpoints and overhead are left out. `exact`
    is false when more jobs than one request counts were made since the last count, which is some minutes old.

    Left out is what else AWS bills: S3, DynamoDB, Lambda, CloudFront, logs, alarms and traffic. AWS's bill is right.
    """

    month: str
    currency: str = Field(description="always `USD`")
    as_of: str
    exact: bool
    total: float
    jobs: int
    jobs_cost: float
    overhead: OverheadOut | None
    endpoints: list[EndpointCostOut]
    owners: list[OwnerCostOut]
    budget: BudgetOut | None = Field(description="the budget of the stage")
