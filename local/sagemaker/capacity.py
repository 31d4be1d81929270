"""Which instance types are to be had, and of which type the instances of an endpoint are.

A variant has one instance type, or instance pools: up to five types in order of priority (service model, InstancePool).
SageMaker starts instances of the first type that is to be had. When none is, it tries on until the time-out of the
variant is over (service model, VariantInstanceProvisionTimeoutInSeconds), and then gives the change up. When it takes
instances away, those of the lowest priority go first (AWS Machine Learning Blog, "Capacity-aware inference").

Nobody has seen what DescribeEndpoint says meanwhile. Assumed is that it counts no instances until one is there, that
`VariantStatus` names the types that are not to be had, that every type is tried again until the time-out, and that an
endpoint which failed to get more instances is InService with those that it had, and with a FailureReason.
"""

from local.sagemaker.knobs import Chance
from local.sagemaker.protocol import Document

RETRY_SECONDS = 0.5
"""After how long all types are tried again."""
TIMEOUT_SECONDS = 1_800.0
"""The time-out of a variant that names none: half of the longest that may be given. AWS does not say what it is."""
SHORTAGE = "InsufficientInstanceCapacity"
"""The words of public reports: "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity
error. Please retry using a different ML instance type or after some time."""


class Capacity:
    """What the knobs `no_capacity` and `provision_seconds` say of endpoints, each as it is kept."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def short(self, kept: Document) -> list[str]:
        """The types of a variant that is to have more instances, while none of them is to be had; else none."""
        coming = kept.get("Next") or kept
        for variant in (kept.get("Next") or kept["Description"])["ProductionVariants"]:
            types = _of(coming.get("InstanceTypes", {}), variant)
            if _wants_more(variant) and types and self._lacking(types) == types:
                return types
        return []

    def is_over(self, kept: Document, now: float) -> bool:
        """Whether a change has looked for instances as long as it may."""
        configured = (kept.get("Next") or kept).get("ProvisionSeconds")
        limit: float = self._chance.knobs.provision_seconds or configured or TIMEOUT_SECONDS
        return bool(now - kept.get("Asked", now) >= limit)

    def told(self, description: Document, kept: Document) -> Document:
        """The description of an endpoint that is changing, with what is said of the types that are tried."""
        types = kept.get("InstanceTypes", {})
        variants = [self._told(each, _of(types, each)) for each in description["ProductionVariants"]]
        return description | {"ProductionVariants": variants}

    def placed(self, settled: Document, types: dict[str, list[str]]) -> Document:
        """The description of an endpoint after a change; when that did not fail, its variants have the instances that
        they are to have, each of a type."""
        place = _without_status if "FailureReason" in settled else lambda each: self._placed(each, _of(types, each))
        return settled | {"ProductionVariants": [place(each) for each in settled["ProductionVariants"]]}

    def _lacking(self, types: list[str]) -> list[str]:
        """Those of a variant's types that are not to be had now, up to the first that is."""
        short = self._chance.knobs.no_capacity
        first = next((number for number, each in enumerate(types) if each not in short), len(types))
        return types[:first]

    def _told(self, variant: Document, types: list[str]) -> Document:
        lacking = self._lacking(types)
        if not lacking or not _wants_more(variant):
            return _without_status(variant)
        trying = types[len(lacking)] if len(lacking) < len(types) else types[0]
        message = f"{SHORTAGE}: {', '.join(lacking)}. Provisioning {trying}."
        return variant | {"VariantStatus": [{"Status": "Updating", "StatusMessage": message}]}

    def _placed(self, variant: Document, types: list[str]) -> Document:
        before, desired = variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]
        done = _without_status(variant) | {"CurrentInstanceCount": desired, "CurrentWeight": variant["DesiredWeight"]}
        if "InstancePools" not in variant:
            return done
        counts = {pool["InstanceType"]: pool["CurrentInstanceCount"] for pool in variant["InstancePools"]}
        if desired > before:
            counts[types[len(self._lacking(types))]] += desired - before
        surplus = max(0, before - desired)
        for each in reversed(types):
            gone = min(surplus, counts[each])
            counts[each] -= gone
            surplus -= gone
        return done | {"InstancePools": pools(counts)}


def pools(counts: dict[str, int]) -> list[Document]:
    """The instance pools as DescribeEndpoint has them."""
    return [{"InstanceType": each, "CurrentInstanceCount": count} for each, count in counts.items()]


def types_of(variant: Document) -> list[str]:
    """The instance types of a configuration's variant, in the order of their priority."""
    ordered = sorted(variant.get("InstancePools", []), key=lambda pool: int(pool["Priority"]))
    named = [pool["InstanceType"] for pool in ordered] or [variant.get("InstanceType", "")]
    return [each for each in named if each]


def instance_types(config: Document) -> dict[str, list[str]]:
    """The instance types of each variant of a configuration, in the order of their priority."""
    return {variant["VariantName"]: types_of(variant) for variant in config["ProductionVariants"]}


def provision_seconds(config: Document) -> float | None:
    """How long an endpoint with this configuration may look for instances, None where it does not say."""
    told = [variant.get("VariantInstanceProvisionTimeoutInSeconds") for variant in config["ProductionVariants"]]
    return max((seconds for seconds in told if seconds), default=None)


def without_instances(description: Document, types: list[str]) -> Document:
    """The description of an endpoint that found no instance of these types: a new one has failed, another one is as it
    was."""
    failed = description | {
        "FailureReason": f"Unable to provision requested ML compute capacity due to {SHORTAGE} error "
        f"({', '.join(types)}). Please retry using a different ML instance type or after some time."
    }
    if description["EndpointStatus"] == "Creating":
        return failed | {"EndpointStatus": "Failed"}
    variants = [
        _without_status(each) | {"DesiredInstanceCount": each["CurrentInstanceCount"]}
        for each in description["ProductionVariants"]
    ]
    return failed | {"EndpointStatus": "InService", "ProductionVariants": variants}


def _wants_more(variant: Document) -> bool:
    return bool(variant["DesiredInstanceCount"] > variant["CurrentInstanceCount"])


def _without_status(variant: Document) -> Document:
    """A variant of which DescribeEndpoint has nothing to say."""
    return {name: value for name, value in variant.items() if name != "VariantStatus"}


def _of(types: dict[str, list[str]], variant: Document) -> list[str]:
    """The types of a variant. A simulator of before kept one text for each."""
    found = types.get(variant["VariantName"], [])
    return [found] if isinstance(found, str) else found
