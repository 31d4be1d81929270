"""Of which instance type the instance was that a job ran on, where its endpoint has several: that says what it cost.

The worker tells what it sees of its machine. Else SageMaker is asked which types have instances: it answers only for
now, so that counts where the endpoint has not changed since the run began. Where neither tells, the dearest of the
types that are possible counts, and the cost is an estimate.
"""

import re
from collections.abc import Callable
from datetime import datetime

from darkroom.endpoints.model import EndpointDetails
from darkroom.jobs.contract import WorkerMachine
from darkroom.jobs.model import Pool, Ran

_GPUS: dict[str, frozenset[str]] = {
    family: frozenset(words.split())
    for family, words in {
        "p2": "K80",
        "p3": "V100",
        "p4d": "A100 40GB",
        "p4de": "A100 80GB",
        "p5": "H100",
        "p5e": "H200",
        "p5en": "H200",
        "p6-b200": "B200",
        "p6-b300": "B300",
        "g4dn": "T4",
        "g5": "A10G",
        "g6": "L4",
        "g6e": "L40S",
        "g7e": "RTX PRO 6000",
    }.items()
}
"""Words in the name that the driver gives to the GPUs of a family (Amazon EC2 User Guide, "Accelerated computing")."""
_SIZES = {"medium": 1, "large": 2, "xlarge": 4}
"""Virtual processors of the sizes without a number. `2xlarge` has twice those of `xlarge`, and so on (Amazon EC2
Instance Types; t2 alone differs)."""


def ran_on(
    pool: Pool,
    told: WorkerMachine | None,
    began: float | None,
    describe: Callable[[], EndpointDetails | None],
) -> Ran:
    """The type that a job of an endpoint with several types ran on, and its price.

    `told` is what the worker says of its machine, `began` when its run began (epoch seconds; None: not known).
    `describe` reads the endpoint, and is called only when the worker's words leave more than one type.
    """
    types = possible(tuple(pool.prices), told)
    if len(types) == 1:
        return Ran(types[0], pool.prices[types[0]])
    details = describe()
    if details and began is not None and _changed_at(details) <= began:
        awake = tuple(each for each in types if details.running.get(each))
        if len(awake) == 1:
            return Ran(awake[0], pool.prices[awake[0]])
        types = awake or types
    return dearest(pool, types)


def dearest(pool: Pool, types: tuple[str, ...] = ()) -> Ran:
    """The dearest of these types, or of all, as an estimate. Its price is not known if that of one of them is not."""
    prices = {each: pool.prices[each] for each in types or pool.prices}
    known = {each: price for each, price in prices.items() if price is not None}
    if len(known) < len(prices):
        return Ran(None, None, estimated=True)
    most = max(known, key=lambda each: known[each])
    return Ran(most, known[most], estimated=True)


def possible(types: tuple[str, ...], told: WorkerMachine | None) -> tuple[str, ...]:
    """Those of an endpoint's types that what a worker tells allows. Words that fit none of them count for nothing."""
    if told is None:
        return types
    if told.instance_type in types:
        return (told.instance_type,)
    fitting = tuple(each for each in types if told.gpu and _has_gpu(each, told.gpu)) or types
    return tuple(each for each in fitting if _processors(each) == told.cpus) or fitting


def _has_gpu(instance_type: str, name: str) -> bool:
    words = _GPUS.get(instance_type.split(".")[1])
    return words is not None and words <= set(re.findall(r"[A-Z0-9]+", name.upper()))


def _processors(instance_type: str) -> int | None:
    """How many virtual processors a type has, None when its name does not tell."""
    size = instance_type.rpartition(".")[2]
    several = re.fullmatch(r"(\d+)xlarge", size)
    return 4 * int(several[1]) if several else _SIZES.get(size)


def _changed_at(details: EndpointDetails) -> float:
    return datetime.fromisoformat(details.endpoint.modified_at).timestamp()
