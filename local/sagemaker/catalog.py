"""Models, endpoint configurations and tags."""

from local.sagemaker.clock import Clock
from local.sagemaker.listing import listed
from local.sagemaker.packages import check_container, check_variant
from local.sagemaker.protocol import Document, Operation, refused
from local.sagemaker.settings import SimulatorSettings
from local.sagemaker.store import Documents

_WORDS = {"model": "model", "endpoint-config": "endpoint configuration", "endpoint": "endpoint"}


class Catalog:
    """The operations on models, endpoint configurations and tags; each raises ServiceError."""

    def __init__(self, documents: Documents, settings: SimulatorSettings, clock: Clock) -> None:
        self._documents = documents
        self._settings = settings
        self._clock = clock

    def operations(self) -> dict[str, Operation]:
        """The operations by the names they have in the protocol."""
        return {
            "CreateModel": self._create_model,
            "DescribeModel": lambda p: self.find("model", p["ModelName"]),
            "ListModels": lambda p: self._list(p, "model", "Model"),
            "DeleteModel": lambda p: self.delete("model", p["ModelName"]),
            "CreateEndpointConfig": self._create_endpoint_config,
            "DescribeEndpointConfig": lambda p: self.find("endpoint-config", p["EndpointConfigName"]),
            "ListEndpointConfigs": lambda p: self._list(p, "endpoint-config", "EndpointConfig"),
            "DeleteEndpointConfig": lambda p: self.delete("endpoint-config", p["EndpointConfigName"]),
            "AddTags": self._add_tags,
            "ListTags": self._list_tags,
        }

    def find(self, kind: str, name: str) -> Document:
        """The description of a `model`, `endpoint-config` or `endpoint`. Names that differ only in case are the same
        (service model, EndpointName of CreateEndpoint). Raises ServiceError when there is none.
        """
        document = self._documents.get(kind, name.lower())
        if document is None:
            raise refused(f'Could not find {_WORDS[kind]} "{self._settings.arn(kind, name)}".')
        return document

    def create(self, kind: str, name: str, document: Document, tags: list[Document]) -> str:
        """Store a new resource with its tags; returns its ARN. Raises ServiceError when the name is taken."""
        arn = self._settings.arn(kind, name)
        if self._documents.get(kind, name.lower()) is not None:
            raise refused(f'Cannot create already existing {_WORDS[kind]} "{arn}".')
        self._documents.put(kind, name.lower(), document)
        self._tag(arn, tags)
        return arn

    def delete(self, kind: str, name: str) -> Document:
        """Delete a resource and its tags."""
        self.find(kind, name)
        self._documents.remove(kind, name.lower())
        self._documents.remove("tags", self._settings.arn(kind, name))
        return {}

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of a resource by their keys."""
        return self._documents.get("tags", arn) or {}

    def _create_model(self, parameters: Document) -> Document:
        if ("PrimaryContainer" in parameters) == bool(parameters.get("Containers")):
            raise refused("Specify exactly one of PrimaryContainer and Containers.")
        for container in parameters.get("Containers") or [parameters["PrimaryContainer"]]:
            check_container(container)
        return self._write("model", "Model", parameters)

    def _create_endpoint_config(self, parameters: Document) -> Document:
        for variant in parameters["ProductionVariants"]:
            check_variant(variant)
            if "ModelName" in variant:
                self.find("model", variant["ModelName"])
        output = parameters.get("AsyncInferenceConfig", {}).get("OutputConfig", {})
        for member in ("S3OutputPath", "S3FailurePath"):
            if not output.get(member, "s3://").startswith("s3://"):
                raise refused(f"{member} must be an s3:// URI here.")
        if "AsyncInferenceConfig" in parameters and "S3OutputPath" not in output:
            raise refused("AsyncInferenceConfig.OutputConfig.S3OutputPath must be given.")
        return self._write("endpoint-config", "EndpointConfig", parameters)

    def _write(self, kind: str, word: str, parameters: Document) -> Document:
        name = parameters[f"{word}Name"]
        document = {key: value for key, value in parameters.items() if key != "Tags"}
        document |= {f"{word}Arn": self._settings.arn(kind, name), "CreationTime": round(self._clock(), 3)}
        return {f"{word}Arn": self.create(kind, name, document, parameters.get("Tags", []))}

    def _list(self, parameters: Document, kind: str, word: str) -> Document:
        members = (f"{word}Name", f"{word}Arn", "CreationTime")
        page, token = listed(parameters, self._documents.all(kind), word, members)
        return {f"{word}s": page} | ({"NextToken": token} if token else {})

    def _add_tags(self, parameters: Document) -> Document:
        self._find_arn(parameters["ResourceArn"])
        return {"Tags": self._tag(parameters["ResourceArn"], parameters["Tags"])}

    def _list_tags(self, parameters: Document) -> Document:
        """All tags on one page: a page holds at least 50, and no resource has more."""
        self._find_arn(parameters["ResourceArn"])
        return {"Tags": self._tag(parameters["ResourceArn"], [])}

    def _tag(self, arn: str, added: list[Document]) -> list[Document]:
        kept = self.tags(arn) | {tag["Key"]: tag["Value"] for tag in added}
        if len(kept) > 50:
            raise refused("A resource has at most 50 tags.")
        self._documents.put("tags", arn, kept)
        return [{"Key": key, "Value": value} for key, value in kept.items()]

    def _find_arn(self, arn: str) -> None:
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if self._documents.get(kind, name) is None:
            raise refused(f'Could not find resource "{arn}".')
