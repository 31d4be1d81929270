"""An endpoint's life: Creating, then InService or Failed, then Deleting, then gone."""

import time
from collections.abc import Callable

from local.sagemaker.backlog import Backlog
from local.sagemaker.catalog import Catalog
from local.sagemaker.listing import listed
from local.sagemaker.protocol import Document, Operation, refused
from local.sagemaker.settings import Settings
from local.sagemaker.store import Documents

FAILING = "fail-create"
"""An endpoint whose name or image contains this never comes into service."""

_FAILURE = (
    "The primary container for production variant {} did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)
_LIVE = ("InService", "Failed")


class Endpoints:
    """The operations on endpoints; each raises ServiceError. `changed` is called after every change.

    What CreateEndpoint reads from its configuration is copied into the endpoint: SageMaker, too, lets a
    configuration be deleted under a live endpoint.
    """

    def __init__(
        self,
        documents: Documents,
        catalog: Catalog,
        backlog: Backlog,
        settings: Settings,
        changed: Callable[[], None],
    ) -> None:
        self._documents = documents
        self._catalog = catalog
        self._backlog = backlog
        self._settings = settings
        self._changed = changed

    def operations(self) -> dict[str, Operation]:
        """The operations by the names they have in the protocol."""
        return {
            "CreateEndpoint": self._create,
            "DescribeEndpoint": self._describe,
            "ListEndpoints": self._list,
            "DeleteEndpoint": self._delete,
        }

    def advance(self, now: float) -> None:
        """Move every endpoint on whose time has come."""
        for kept in self._documents.all("endpoint"):
            if kept["SettlesAt"] is None or kept["SettlesAt"] > now:
                continue
            name = kept["Description"]["EndpointName"]
            if kept["Description"]["EndpointStatus"] == "Deleting":
                self._backlog.forget(name)
                self._catalog.delete("endpoint", name)
            else:
                _bring_into_service(kept["Description"], now)
                self._documents.put("endpoint", name.lower(), kept | {"SettlesAt": None})

    def all(self) -> list[Document]:
        """DescribeEndpoint's answer for every endpoint there is."""
        self.advance(time.time())
        return [kept["Description"] for kept in self._documents.all("endpoint")]

    def in_service(self, name: str) -> Document | None:
        """The description of an endpoint that takes invocations, else None; the name's case must match
        (service model, EndpointName of CreateEndpoint).
        """
        serving = (found for found in self.all() if found["EndpointStatus"] == "InService")
        return next((found for found in serving if found["EndpointName"] == name), None)

    def role(self) -> str | None:
        """The role of the newest endpoint's model, in whose name SageMaker acts; None while there is no such model."""
        endpoints = self._documents.all("endpoint")
        if not endpoints:
            return None
        newest = max((kept["Description"] for kept in endpoints), key=lambda found: found["CreationTime"])
        config = self._documents.get("endpoint-config", newest["EndpointConfigName"].lower()) or {}
        named = [variant.get("ModelName", "").lower() for variant in config.get("ProductionVariants", [])]
        models = [self._documents.get("model", name) or {} for name in named]
        return next((model["ExecutionRoleArn"] for model in models if "ExecutionRoleArn" in model), None)

    def _create(self, parameters: Document) -> Document:
        now = round(time.time(), 3)
        self.advance(now)
        config = self._catalog.find("endpoint-config", parameters["EndpointConfigName"])
        name = parameters["EndpointName"]
        description = {
            "EndpointName": name,
            "EndpointArn": self._settings.arn("endpoint", name),
            "EndpointConfigName": parameters["EndpointConfigName"],
            "ProductionVariants": [self._variant(v, now) for v in config["ProductionVariants"]],
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        if "AsyncInferenceConfig" in config:
            description["AsyncInferenceConfig"] = config["AsyncInferenceConfig"]
        kept = {
            "SettlesAt": now + self._settings.creating_seconds,
            "Description": description,
        }
        arn = self._catalog.create("endpoint", name, kept, parameters.get("Tags", []))
        self._changed()
        return {"EndpointArn": arn}

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
        }

    def _describe(self, parameters: Document) -> Document:
        self.advance(time.time())
        description: Document = self._catalog.find("endpoint", parameters["EndpointName"])["Description"]
        return description

    def _list(self, parameters: Document) -> Document:
        members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        page, token = listed(parameters, self.all(), "Endpoint", members)
        return {"Endpoints": page} | ({"NextToken": token} if token else {})

    def _delete(self, parameters: Document) -> Document:
        description = self._describe(parameters)
        if description["EndpointStatus"] not in _LIVE:
            raise refused(f'Cannot update in-progress endpoint "{description["EndpointArn"]}".')
        now = round(time.time(), 3)
        kept = {
            "SettlesAt": now + self._settings.creating_seconds,
            "Description": description | {"EndpointStatus": "Deleting", "LastModifiedTime": now},
        }
        self._documents.put("endpoint", description["EndpointName"].lower(), kept)
        self._changed()
        return {}


def _bring_into_service(description: Document, now: float) -> None:
    description["LastModifiedTime"] = round(now, 3)
    variants = description["ProductionVariants"]
    images = [image["SpecifiedImage"] for variant in variants for image in variant["DeployedImages"]]
    if any(FAILING in word for word in [description["EndpointName"], *images]):
        description["EndpointStatus"] = "Failed"
        description["FailureReason"] = _FAILURE.format(variants[0]["VariantName"])
        return
    description["EndpointStatus"] = "InService"
    for variant in variants:
        variant["CurrentInstanceCount"] = variant["DesiredInstanceCount"]
