"""The routes of costs and budgets."""

from typing import Annotated, Any

from darkroom import wiring
from darkroom.costs.api import MONTH, OWNER, BudgetIn, BudgetList, BudgetSet, CostsOut
from darkroom.costs.model import STAGE
from darkroom.edge.http import Api, Path, Query, Response

app = Api(origins=lambda: wiring.stage().settings.origins, rate_limiter=lambda: wiring.stage().rate_limiter)
Owner = Annotated[
    str, Path(description="whose budget: an owner, or `stage`", min_length=1, max_length=64, pattern=OWNER)
]


def _whose(owner: str) -> str | None:
    return None if owner == STAGE else owner


@app.get("/costs", summary="What a month costs, by endpoint and owner", tags=["costs"])
def get_costs(
    month: Annotated[
        str | None, Query(pattern=MONTH, description="as in 2026-11, in UTC; the present month without it")
    ] = None,
) -> CostsOut:
    """An admin sees all; everybody else sees the own jobs."""
    return wiring.stage().costs.month(month, scope=app.write_scope)


@app.get("/budgets", summary="The budgets of owners and of the stage", tags=["costs"])
def get_budgets() -> BudgetList:
    """As they were set. GET /costs says how much of each is used."""
    return BudgetList(budgets=[BudgetSet.of(budget) for budget in wiring.stage().budgets.all()])


@app.get("/budgets/<owner>", summary="The budget of an owner or of the stage", tags=["costs"])
def get_budget(owner: Owner) -> BudgetSet:
    """As it was set."""
    return BudgetSet.of(wiring.stage().budgets.find(_whose(owner)))


@app.put("/budgets/<owner>", summary="Set the budget of an owner or of the stage", tags=["costs"])
def put_budget(owner: Owner, budget: BudgetIn) -> BudgetSet:
    """It takes the place of the one before. Within half a minute every new job is held to it."""
    return BudgetSet.of(wiring.stage().budgets.set(_whose(owner), budget.monthly, budget.warn_at, app.owner))


@app.delete(
    "/budgets/<owner>",
    summary="Take a budget away",
    tags=["costs"],
    responses={204: {"description": "Gone"}},
)
def delete_budget(owner: Owner) -> Response[None]:
    """Answers 204, also when there was none."""
    wiring.stage().budgets.remove(_whose(owner))
    return Response(204)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.handle(event, context)
