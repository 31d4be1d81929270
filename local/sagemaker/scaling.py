"""How many instances an endpoint has: decided by its scalable targets, its policies and its queue.

Metrics and alarms are not simulated, only their effects. The backlog counts waiting and running invocations (Developer
Guide, ApproximateBacklogSize). An endpoint is not scaled while it is updated, so it gets one instance at a time.
"""

import asyncio
import logging
from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from local.sagemaker.alarms import wakers
from local.sagemaker.aws import Cloud
from local.sagemaker.backlog import Backlog
from local.sagemaker.clock import Clock
from local.sagemaker.endpoints import SERVING, Endpoints
from local.sagemaker.knobs import Chance
from local.sagemaker.protocol import Document
from local.sagemaker.scalable import ScalableTargets
from local.sagemaker.settings import SimulatorSettings

TICK_SECONDS = 0.1
ALARM_SECONDS = 1.0
"""The shortest time between two calls that read alarms. They are read only while one may start a policy."""
ALARM_LAG = 60.0
"""How long an alarm stays on after its endpoint got an instance: its metric is reported once a minute."""
COOLDOWN = 300
"""Seconds of a step policy that names none (API reference, StepScalingPolicyConfiguration)."""

log = logging.getLogger(__name__)


class Scaling:
    """Decides how many instances endpoints have, and changes the endpoints. After a restart only the time that an
    endpoint was without work starts at zero.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        targets: ScalableTargets,
        backlog: Backlog,
        settings: SimulatorSettings,
        chance: Chance,
        clock: Clock,
    ) -> None:
        self._endpoints = endpoints
        self._targets = targets
        self._backlog = backlog
        self._settings = settings
        self._chance = chance
        self._clock = clock
        self._worked: dict[str, tuple[dict[str, int], float]] = {}

    @property
    def hears_alarms(self) -> bool:
        """Whether alarms do anything: a knob switches them off."""
        return self._chance.knobs.alarms

    def look(self, now: float) -> bool:
        """Scale endpoints by target tracking; returns whether there is one that an alarm may scale now."""
        asleep = False
        watched = [endpoint for endpoint in self._endpoints.all() if self._is_watched(endpoint)]
        self._worked = {endpoint["EndpointName"]: self._last_work(endpoint, now) for endpoint in watched}
        for endpoint in watched:
            idle = now - self._worked[endpoint["EndpointName"]][1]
            for variant, target in self._scalable(endpoint):
                policies = self._policies(target, "TargetTrackingScaling")
                desired = [self._tracked(endpoint, variant, target, policy, idle) for policy in policies]
                # Of several policies the one that wants the most instances wins (Application Auto Scaling
                # User Guide, "Target tracking scaling policies").
                if desired and max(desired) != variant["DesiredInstanceCount"]:
                    cause = policies[desired.index(max(desired))]
                    self._scale(endpoint, variant, max(desired), cause)
                    break
                asleep = asleep or bool(self._due(endpoint, variant, target))
        return asleep

    def wake(self, named: set[tuple[str, str]]) -> None:
        """Give endpoints without instances their first ones, if an alarm names their step policy. `named` has pairs of
        endpoint and policy, as `wakers` finds them.

        An alarm that is still on starts its policy again (Application Auto Scaling User Guide, "Step scaling"),
        so one that adds an instance may do so twice.
        """
        for endpoint in self._endpoints.all():
            for variant, target in self._scalable(endpoint):
                due = self._due(endpoint, variant, target)
                fired = [policy for policy in due if (endpoint["EndpointName"], policy["PolicyARN"]) in named]
                before = variant["DesiredInstanceCount"]
                steps = [_step(policy, before) for policy in fired]
                instances = min(max(steps, default=before), target["MaxCapacity"])
                if instances != before:
                    self._scale(endpoint, variant, instances, fired[steps.index(max(steps))])
                    break

    def _scalable(self, endpoint: Document) -> Iterator[tuple[Document, Document]]:
        """The variants that may be scaled now, with their targets."""
        if endpoint["EndpointStatus"] != "InService":
            return
        for variant in endpoint["ProductionVariants"]:
            target = self._targets.of(endpoint["EndpointName"], variant["VariantName"])
            if target is not None:
                yield variant, target

    def _policies(self, target: Document, kind: str) -> list[Document]:
        return [p for p in self._targets.policies_of(target["ResourceId"]) if p["PolicyType"] == kind]

    def _tracked(self, endpoint: Document, variant: Document, target: Document, policy: Document, idle: float) -> int:
        """How many instances a target tracking policy wants."""
        tracking = policy["TargetTrackingScalingPolicyConfiguration"]
        instances: int = variant["DesiredInstanceCount"]
        suspended = target.get("SuspendedState", {})
        full = self._load(endpoint) > tracking["TargetValue"] * instances
        if full and 0 < instances < target["MaxCapacity"] and not suspended.get("DynamicScalingOutSuspended"):
            return instances + 1
        may_shrink = not tracking.get("DisableScaleIn") and not suspended.get("DynamicScalingInSuspended")
        if may_shrink and idle >= self._chance.idle_seconds and instances > target["MinCapacity"]:
            return int(target["MinCapacity"])
        return instances

    def _due(self, endpoint: Document, variant: Document, target: Document) -> list[Document]:
        """The step policies that an alarm may start now. It is on while invocations wait for a variant without
        instances, and a while longer; then a policy starts again once its cooldown is over."""
        if target.get("SuspendedState", {}).get("DynamicScalingOutSuspended"):
            return []
        policies = self._policies(target, "StepScaling")
        if variant["DesiredInstanceCount"] == 0:
            return policies if self._load(endpoint) > 0 else []
        return [policy for policy in policies if self._starts_again(policy)]

    def _starts_again(self, policy: Document) -> bool:
        now, cause = self._clock(), _cause(policy)
        of_policy = (
            found
            for found in self._targets.activities()
            if found["ResourceId"] == policy["ResourceId"] and found["Cause"] == cause
        )
        last = next(of_policy, None)
        if last is None or not 0 <= now - last["EndTime"] <= ALARM_LAG:
            return False
        cooldown: float = policy["StepScalingPolicyConfiguration"].get("Cooldown", COOLDOWN)
        return bool(now - last["StartTime"] > cooldown)

    def _scale(self, endpoint: Document, variant: Document, instances: int, cause: Document) -> None:
        """Change the number of instances of a variant, because of the policy `cause`."""
        name, before = endpoint["EndpointName"], variant["DesiredInstanceCount"]
        log.info("endpoint %s scales from %d to %d instances", name, before, instances)
        more = instances > before
        seconds = self._chance.knobs.waking_seconds if more else self._settings.creating_seconds
        self._endpoints.scale(endpoint, variant["VariantName"], instances, seconds)
        self._targets.note_change(cause, instances, _cause(cause), self._clock(), seconds)

    def _load(self, endpoint: Document) -> int:
        counts = self._backlog.counts(endpoint["EndpointName"])
        return counts["waiting"] + counts["running"]

    def _is_watched(self, endpoint: Document) -> bool:
        names = [variant["VariantName"] for variant in endpoint["ProductionVariants"]]
        targets = [self._targets.of(endpoint["EndpointName"], name) for name in names]
        return endpoint["EndpointStatus"] in SERVING and any(targets)

    def _last_work(self, endpoint: Document, now: float) -> tuple[dict[str, int], float]:
        """An endpoint's counts, and since when (epoch seconds) it has no work; never before it is watched."""
        counts = self._backlog.counts(endpoint["EndpointName"])
        before, since = self._worked.get(endpoint["EndpointName"], ({}, now))
        worked = counts != before or counts["waiting"] or counts["running"]
        return counts, now if worked else since


def _cause(policy: Document) -> str:
    """The words of public reports, which also contain the alarm's name."""
    return f"monitor alarm in state ALARM triggered policy {policy['PolicyName']}"


def _step(policy: Document, instances: int) -> int:
    """How many instances an endpoint with so many has after a step policy. The metric HasBacklogWithoutCapacity is 1
    and the alarm's threshold is 1, so it is the adjustment of the step for a difference of 0.
    """
    configuration = policy["StepScalingPolicyConfiguration"]
    for step in configuration.get("StepAdjustments", []):
        if step.get("MetricIntervalLowerBound", 0) <= 0 < step.get("MetricIntervalUpperBound", 1):
            adjustment = int(step["ScalingAdjustment"])
            if configuration.get("AdjustmentType") == "ExactCapacity":
                return adjustment
            # A percentage of nothing is nothing, unless a least adjustment is given.
            if configuration.get("AdjustmentType") == "PercentChangeInCapacity":
                least = int(configuration.get("MinAdjustmentMagnitude", 0))
                return instances + max(least, instances * adjustment // 100)
            return instances + adjustment
    return instances


async def wake_by_alarms(scaling: Scaling, cloud: Cloud) -> None:
    """Wake the endpoints that the alarms of CloudWatch wake; none while CloudWatch does not answer."""
    if not scaling.hears_alarms:
        return
    try:
        alarms = await cloud.alarms()
    except (BotoCoreError, ClientError) as error:
        log.warning("alarms cannot be read: %s", type(error).__name__)
    else:
        scaling.wake(wakers(alarms))


async def scale_for_ever(scaling: Scaling, cloud: Cloud, clock: Clock) -> None:
    """Scale at every tick, and read alarms at most every `ALARM_SECONDS`."""
    alarms_read = 0.0
    while True:
        now = clock()
        if scaling.look(now) and now - alarms_read >= ALARM_SECONDS:
            alarms_read = now
            await wake_by_alarms(scaling, cloud)
        await asyncio.sleep(TICK_SECONDS)
