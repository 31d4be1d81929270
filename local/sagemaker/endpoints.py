"""The life of an endpoint: Creating, then InService or Failed, at times Updating, in the end Deleting."""

from collections.abc import Callable

from local.sagemaker.backlog import Backlog
from local.sagemaker.capacity import (
    RETRY_SECONDS,
    Capacity,
    instance_types,
    pools,
    provision_seconds,
    types_of,
    without_instances,
)
from local.sagemaker.catalog import Catalog
from local.sagemaker.clock import Clock
from local.sagemaker.events import StateEvents
from local.sagemaker.listing import listed
from local.sagemaker.notifications import topic_tests
from local.sagemaker.packages import Holds, missing_data
from local.sagemaker.protocol import Document, Operation, ServiceError, refused
from local.sagemaker.scalable import ScalableTargets
from local.sagemaker.settings import SimulatorSettings
from local.sagemaker.store import Documents

FAILING = "fail-create"
"""An endpoint whose name or image contains this text fails while it is created."""

_FAILURE = (
    "The primary container for production variant {} did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)
_LIVE = ("InService", "Failed")
SERVING = ("InService", "Updating")
"""An endpoint takes invocations while it is updated: the old instances serve until the new ones do (service model,
UpdateEndpoint)."""


class Endpoints:
    """The operations on endpoints; each raises ServiceError. `changed` is called after every change, `holds`
    before a creation with model data.

    CreateEndpoint copies what it reads from the configuration into the endpoint, because a configuration may be deleted
    while its endpoint lives, as at SageMaker.
    """

    def __init__(
        self,
        documents: Documents,
        catalog: Catalog,
        backlog: Backlog,
        targets: ScalableTargets,
        events: StateEvents,
        settings: SimulatorSettings,
        clock: Clock,
        changed: Callable[[], None],
        holds: Holds,
        capacity: Capacity,
    ) -> None:
        self._documents = documents
        self._catalog = catalog
        self._backlog = backlog
        self._targets = targets
        self._events = events
        self._settings = settings
        self._clock = clock
        self._changed = changed
        self._holds = holds
        self._capacity = capacity

    def operations(self) -> dict[str, Operation]:
        """The operations by the names they have in the protocol."""
        return {
            "CreateEndpoint": self._create,
            "DescribeEndpoint": self._describe,
            "ListEndpoints": self._list,
            "DeleteEndpoint": self._delete,
        }

    def advance(self, now: float) -> None:
        """Give every endpoint whose change is over at `now` its next status."""
        for kept in self._documents.all("endpoint"):
            if kept["SettlesAt"] is None or kept["SettlesAt"] > now:
                continue
            description = kept["Description"]
            if description["EndpointStatus"] == "Deleting":
                self._end(description, now)
            elif not self._waits_for_capacity(kept, now):
                following = kept.get("Next")
                types = following["InstanceTypes"] if following else kept.get("InstanceTypes", {})
                if short := self._capacity.short(kept):
                    settled = without_instances(_without_pending(description), short)
                else:
                    settled = self._capacity.placed(_settled(description, following, kept.get("Fault")), types)
                kept |= {"SettlesAt": None, "Next": None}
                if following and "FailureReason" not in settled:
                    kept |= {"InstanceTypes": types, "ProvisionSeconds": following["ProvisionSeconds"]}
                self._move(kept, settled, now)

    def _waits_for_capacity(self, kept: Document, now: float) -> bool:
        """Whether an endpoint goes on looking for instances at `now`, because its time for that is not over."""
        if not self._capacity.short(kept):
            return False
        name = kept["Description"]["EndpointName"]
        if self._capacity.is_over(kept, now):
            self._targets.amend(name, StatusCode="Failed", EndTime=now)
            return False
        kept |= {"SettlesAt": now + RETRY_SECONDS, "Description": self._capacity.told(kept["Description"], kept)}
        with self._documents.together():
            self._targets.amend(name, EndTime=kept["SettlesAt"])
            self._documents.put("endpoint", name.lower(), kept)
        return True

    def all(self) -> list[Document]:
        """DescribeEndpoint's answer for every endpoint there is."""
        self.advance(self._clock())
        return [kept["Description"] for kept in self._documents.all("endpoint")]

    def find(self, name: str) -> Document:
        """DescribeEndpoint's answer; raises ServiceError when there is no such endpoint."""
        self.advance(self._clock())
        description: Document = self._catalog.find("endpoint", name)["Description"]
        return description

    def serving(self, name: str) -> Document | None:
        """The description of an endpoint that takes invocations, otherwise None; the case of its name must match
        (service model, EndpointName of CreateEndpoint).
        """
        serving = (found for found in self.all() if found["EndpointStatus"] in SERVING)
        return next((found for found in serving if found["EndpointName"] == name), None)

    def role(self) -> str | None:
        """The ARN of the role of the newest endpoint, which the simulator uses for its calls; None when there is
        none."""
        roles = ((kept["Description"]["CreationTime"], kept["Role"]) for kept in self._documents.all("endpoint"))
        return max(((created, role) for created, role in roles if role), default=(0.0, None))[1]

    def _role_of(self, config: Document) -> str | None:
        """The role of a configuration's model. It is stored with the endpoint, because both may be deleted before
        it."""
        models = self._models_of(config)
        return next((model["ExecutionRoleArn"] for model in models if "ExecutionRoleArn" in model), None)

    def _models_of(self, config: Document) -> list[Document]:
        named = [variant.get("ModelName", "").lower() for variant in config["ProductionVariants"]]
        return [self._documents.get("model", name) or {} for name in named]

    def _create(self, parameters: Document) -> Document:
        now = round(self._clock(), 3)
        self.advance(now)
        config = self._catalog.find("endpoint-config", parameters["EndpointConfigName"])
        name = parameters["EndpointName"]
        description = {
            "EndpointName": name,
            "EndpointArn": self._settings.arn("endpoint", name),
            "EndpointConfigName": parameters["EndpointConfigName"],
            "ProductionVariants": self.variants(config, now),
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        if "AsyncInferenceConfig" in config:
            description["AsyncInferenceConfig"] = config["AsyncInferenceConfig"]
        kept = {
            "SettlesAt": now + self._settings.creating_seconds,
            "Asked": now,
            "InstanceTypes": instance_types(config),
            "ProvisionSeconds": provision_seconds(config),
            "Role": self._role_of(config),
            "Fault": missing_data(self._models_of(config), self._holds),
        }
        description = self._capacity.told(description, kept)
        kept["Description"] = description
        with self._documents.together():
            arn = self._catalog.create("endpoint", name, kept, parameters.get("Tags", []))
            self._events.record(description, self._catalog.tags(arn), now)
            self._backlog.post(topic_tests(description, now))
        self._changed()
        return {"EndpointArn": arn}

    def variants(self, config: Document, now: float) -> list[Document]:
        """The variants of an endpoint configuration as an endpoint shows them before any instance runs."""
        return [self._variant(variant, now) for variant in config["ProductionVariants"]]

    def instance_types(self, name: str) -> dict[str, list[str]]:
        """The instance types of each variant of an endpoint that exists."""
        types: dict[str, list[str]] = self._catalog.find("endpoint", name).get("InstanceTypes", {})
        return types

    def update(self, description: Document, seconds: float, following: Document | None = None) -> None:
        """Make an endpoint Updating for `seconds`, with the new `description`. After that its variants have their
        desired instances. With `following` (a configuration's name, variants, instance types and AsyncInferenceConfig)
        it then has that configuration. Its topics get a test message, at each change of the instance counts too.
        """
        now = round(self._clock(), 3)
        kept = self._catalog.find("endpoint", description["EndpointName"])
        kept |= {"SettlesAt": now + seconds, "Asked": now, "Next": following}
        description = self._capacity.told(description, kept)
        self._backlog.post(topic_tests(following or description, now))
        self._move(kept, description | {"EndpointStatus": "Updating"}, now)

    def scale(self, description: Document, variant: str, instances: int, seconds: float) -> None:
        """Change the number of instances of a variant, which takes `seconds`.

        Application Auto Scaling does it by UpdateEndpointWeightsAndCapacities (service-linked role policy
        AWSApplicationAutoscalingSageMakerEndpointPolicy), and that sets the status to Updating (service model).
        """
        changed = [
            entry | ({"DesiredInstanceCount": instances} if entry["VariantName"] == variant else {})
            for entry in description["ProductionVariants"]
        ]
        self.update(description | {"ProductionVariants": changed}, seconds)

    def _variant(self, variant: Document, now: float) -> Document:
        model = self._documents.get("model", variant.get("ModelName", "").lower()) or {}
        containers = model.get("Containers") or [model.get("PrimaryContainer", {})]
        images = [container["Image"] for container in containers if "Image" in container]
        return {
            "VariantName": variant["VariantName"],
            "DeployedImages": [
                {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": now} for image in images
            ],
            "CurrentWeight": variant.get("InitialVariantWeight", 1.0),
            "DesiredWeight": variant.get("InitialVariantWeight", 1.0),
            "CurrentInstanceCount": 0,
            "DesiredInstanceCount": variant.get("InitialInstanceCount", 1),
            **({"InstancePools": pools(dict.fromkeys(types_of(variant), 0))} if "InstancePools" in variant else {}),
        }

    def _describe(self, parameters: Document) -> Document:
        return self.find(parameters["EndpointName"])

    def _list(self, parameters: Document) -> Document:
        members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        page, token = listed(parameters, self.all(), "Endpoint", members)
        return {"Endpoints": page} | ({"NextToken": token} if token else {})

    def _delete(self, parameters: Document) -> Document:
        description = self._describe(parameters)
        if description["EndpointStatus"] not in _LIVE:
            raise in_progress(description)
        now = round(self._clock(), 3)
        kept = self._catalog.find("endpoint", description["EndpointName"])
        kept |= {"SettlesAt": now + self._settings.creating_seconds, "Next": None}
        with self._documents.together():
            self._targets.forget(description["EndpointName"])
            self._write(kept, description | {"EndpointStatus": "Deleting"}, now)
        self._changed()
        return {}

    def _end(self, description: Document, now: float) -> None:
        with self._documents.together():
            tags = self._catalog.tags(description["EndpointArn"])
            # The documentation of AWS does not show this last event, but public code that reads real events handles it.
            self._events.record(description | {"EndpointStatus": "Deleted"}, tags, now)
            self._backlog.forget(description["EndpointName"])
            self._catalog.delete("endpoint", description["EndpointName"])

    def _move(self, kept: Document, description: Document, now: float) -> None:
        with self._documents.together():
            self._write(kept, description, now)
        self._changed()

    def _write(self, kept: Document, description: Document, now: float) -> None:
        """Store a new state together with its event."""
        now = round(now, 3)
        changed = description | {"LastModifiedTime": now}
        self._documents.put("endpoint", changed["EndpointName"].lower(), kept | {"Description": changed})
        self._events.record(changed, self._catalog.tags(changed["EndpointArn"]), now)


def in_progress(description: Document) -> ServiceError:
    """The error for a change while another one is in progress."""
    return refused(f'Cannot update in-progress endpoint "{description["EndpointArn"]}".')


def _settled(description: Document, following: Document | None, fault: str | None) -> Document:
    """The description of an endpoint after it was created or updated, with the instances that it had. When an update
    fails, the endpoint stays as it was. `fault` is why one that is created fails."""
    if fault and following is None and description["EndpointStatus"] == "Creating":
        return description | {"EndpointStatus": "Failed", "FailureReason": fault}
    dropped = {"PendingDeploymentSummary", "FailureReason"} | ({"AsyncInferenceConfig"} if following else set())
    rest = {name: value for name, value in description.items() if name not in dropped}
    own = ("InstanceTypes", "ProvisionSeconds")
    new = rest | {name: value for name, value in (following or {}).items() if name not in own}
    variants = new["ProductionVariants"]
    images = [image["SpecifiedImage"] for variant in variants for image in variant["DeployedImages"]]
    if any(FAILING in word for word in [new["EndpointName"], *images]):
        reason = _FAILURE.format(variants[0]["VariantName"])
        if following is None:
            return new | {"EndpointStatus": "Failed", "FailureReason": reason}
        return _without_pending(description) | {"EndpointStatus": "InService", "FailureReason": reason}
    return new | {"EndpointStatus": "InService"}


def _without_pending(description: Document) -> Document:
    return {name: value for name, value in description.items() if name != "PendingDeploymentSummary"}
