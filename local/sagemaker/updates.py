"""UpdateEndpoint and UpdateEndpointWeightsAndCapacities."""

from local.sagemaker.capacity import instance_types, provision_seconds
from local.sagemaker.catalog import Catalog
from local.sagemaker.clock import Clock
from local.sagemaker.endpoints import Endpoints, in_progress
from local.sagemaker.knobs import Chance
from local.sagemaker.protocol import Document, Operation, refused
from local.sagemaker.scalable import ScalableTargets
from local.sagemaker.settings import SimulatorSettings


class Updates:
    """The operations that change an endpoint in service; each raises ServiceError."""

    def __init__(
        self,
        endpoints: Endpoints,
        catalog: Catalog,
        targets: ScalableTargets,
        settings: SimulatorSettings,
        chance: Chance,
        clock: Clock,
    ) -> None:
        self._endpoints = endpoints
        self._catalog = catalog
        self._targets = targets
        self._settings = settings
        self._chance = chance
        self._clock = clock

    def operations(self) -> dict[str, Operation]:
        """The operations by the names they have in the protocol."""
        return {"UpdateEndpoint": self._update, "UpdateEndpointWeightsAndCapacities": self._scale}

    def _update(self, parameters: Document) -> Document:
        description = self._changeable(parameters["EndpointName"])
        config = self._catalog.find("endpoint-config", parameters["EndpointConfigName"])
        self._refuse_other_instances(description["EndpointName"], config)
        now = round(self._clock(), 3)
        variants = self._endpoints.variants(config, now)
        if parameters.get("RetainAllVariantProperties"):
            excluded = {
                entry["VariantPropertyType"] for entry in parameters.get("ExcludeRetainedVariantProperties", [])
            }
            variants = _retained(description["ProductionVariants"], variants, excluded)
        following = {
            "EndpointConfigName": parameters["EndpointConfigName"],
            "ProductionVariants": variants,
            "InstanceTypes": instance_types(config),
            "ProvisionSeconds": provision_seconds(config),
        }
        if "AsyncInferenceConfig" in config:
            following["AsyncInferenceConfig"] = config["AsyncInferenceConfig"]
        pending = {"EndpointConfigName": parameters["EndpointConfigName"], "StartTime": now}
        self._endpoints.update(
            description | {"PendingDeploymentSummary": pending}, self._settings.creating_seconds, following
        )
        return {"EndpointArn": description["EndpointArn"]}

    def _scale(self, parameters: Document) -> Document:
        description = self._changeable(parameters["EndpointName"])
        requested = {entry["VariantName"]: entry for entry in parameters["DesiredWeightsAndCapacities"]}
        missing = requested.keys() - {variant["VariantName"] for variant in description["ProductionVariants"]}
        if missing:
            names, config = ", ".join(sorted(missing)), description["EndpointConfigName"]
            raise refused(f'The variant name(s) "{names}" is/are not present within endpoint configuration "{config}".')
        variants = [
            variant | _numbers(requested.get(variant["VariantName"], {}))
            for variant in description["ProductionVariants"]
        ]
        more = any(variant["DesiredInstanceCount"] > variant["CurrentInstanceCount"] for variant in variants)
        seconds = self._chance.knobs.waking_seconds if more else self._settings.creating_seconds
        self._endpoints.update(description | {"ProductionVariants": variants}, seconds)
        return {"EndpointArn": description["EndpointArn"]}

    def _changeable(self, name: str) -> Document:
        """The description of an endpoint that may be changed now. A failed endpoint allows only DeleteEndpoint (API
        reference, EndpointStatus); the error message for that is not SageMaker's own.
        """
        description = self._endpoints.find(name)
        if description["EndpointStatus"] == "Failed":
            raise refused(f'Cannot update failed endpoint "{description["EndpointArn"]}".')
        if description["EndpointStatus"] != "InService":
            raise in_progress(description)
        return description

    def _refuse_other_instances(self, name: str, config: Document) -> None:
        """A variant with a scalable target must keep its instance type (Developer Guide, "Update endpoints that use
        auto scaling"). The error message is not SageMaker's own.
        """
        before = self._endpoints.instance_types(name)
        for variant, instance_type in instance_types(config).items():
            if self._targets.of(name, variant) and before.get(variant, instance_type) != instance_type:
                raise refused(
                    f"Variant {variant} is a scalable target and would change its instance type. "
                    "Deregister it from Application Auto Scaling before the update."
                )


def _numbers(entry: Document) -> Document:
    """The desired numbers in an entry, as far as it has them."""
    return {name: entry[name] for name in ("DesiredInstanceCount", "DesiredWeight") if name in entry}


def _retained(before: list[Document], variants: list[Document], excluded: set[str]) -> list[Document]:
    """The new variants, with the desired numbers of the old variants of the same names."""
    kept = {
        variant["VariantName"]: {name: value for name, value in _numbers(variant).items() if name not in excluded}
        for variant in before
    }
    return [variant | kept.get(variant["VariantName"], {}) for variant in variants]
