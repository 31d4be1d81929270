"""The wire protocols of SageMaker and Application Auto Scaling, by botocore's models of these services."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any, cast
from uuid import uuid4

import botocore.session
from botocore.model import ServiceModel, StructureShape
from starlette.datastructures import Headers
from starlette.responses import Response

from local.sagemaker.validation import violations

Document = dict[str, Any]
Operation = Callable[[Document], Document]
Services = dict[str, dict[str, Operation]]
"""The operations by botocore's name of their service and the name they have in the protocol."""


class ServiceError(Exception):
    """An error as the service would answer it: its code, its message and its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def refused(message: str) -> ServiceError:
    """A ValidationException, SageMaker's answer to nearly every request that it refuses."""
    return ServiceError("ValidationException", message)


@cache
def service_model(service: str) -> ServiceModel:
    """botocore's model of a service, by botocore's name of it (half a second the first time)."""
    return botocore.session.get_session().get_service_model(service)


def input_shape(service: str, operation: str) -> StructureShape:
    """The shape of an operation's input; every operation served here has one."""
    return cast(StructureShape, service_model(service).operation_model(operation).input_shape)


def call_control(services: Services, target: str, body: bytes, throttled: Callable[[str], bool]) -> Response:
    """Answer one JSON 1.1 call: `target` is the X-Amz-Target header, `body` the JSON of its input.

    `throttled` is called once, with the name of the operation, and says whether this call is refused.
    """
    try:
        service, name = _addressed(services, target)
        if throttled(name):
            raise ServiceError("ThrottlingException", "Rate exceeded")
        parameters = _parse(body)
        problem = violations(parameters, input_shape(service, name))
        if problem:
            raise refused(problem)
        output = services[service][name](parameters)
        empty = service_model(service).operation_model(name).output_shape is None
        return _json(None if empty else output, 200)
    except ServiceError as error:
        return _json({"__type": error.code, "message": error.message}, error.status)


def _addressed(services: Services, target: str) -> tuple[str, str]:
    prefix, _, name = target.partition(".")
    for service, operations in services.items():
        if service_model(service).metadata["targetPrefix"] == prefix and name in operations:
            return service, name
    raise ServiceError("UnknownOperationException", f"The operation {target!r} is not known here.")


def _parse(body: bytes) -> Document:
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        raise ServiceError("SerializationException", "The request body is not a JSON object.")
    return parameters


def _json(document: Document | None, status: int) -> Response:
    return Response(
        b"" if document is None else json.dumps(document),
        status,
        {"x-amzn-RequestId": str(uuid4())},
        "application/x-amz-json-1.1",
    )


def read_invocation(endpoint: str, headers: Headers, body: bytes) -> Document:
    """The input of InvokeEndpointAsync by its members' names, checked; raises ServiceError.

    Header names, lengths and patterns come from the installed botocore model of the operation.
    """
    shape = input_shape("sagemaker-runtime", "InvokeEndpointAsync")
    parameters: Document = {"EndpointName": endpoint}
    for name, member in shape.members.items():
        value = headers.get(member.serialization.get("name", ""))
        if member.serialization.get("location") == "header" and value is not None:
            is_number = member.type_name == "integer" and value.lstrip("-").isdigit()
            parameters[name] = int(value) if is_number else value
    if body:
        parameters["Body"] = body
    problem = violations(parameters, shape)
    if problem is None and ("Body" in parameters) == ("InputLocation" in parameters):
        problem = "Body and InputLocation are mutually exclusive. Provide exactly one of them."
    if problem:
        raise ServiceError("ValidationError", problem)
    return parameters


def answer_invocation(output: Document) -> Response:
    """The 202 of InvokeEndpointAsync: header members as headers, the others as JSON."""
    operation = service_model("sagemaker-runtime").operation_model("InvokeEndpointAsync")
    members = cast(StructureShape, operation.output_shape).members
    headers = {
        members[name].serialization["name"]: value
        for name, value in output.items()
        if members[name].serialization.get("location") == "header"
    }
    rest = {name: value for name, value in output.items() if "location" not in members[name].serialization}
    headers["x-amzn-RequestId"] = str(uuid4())
    return Response(json.dumps(rest), 202, headers, "application/json")


def answer_runtime_error(error: ServiceError) -> Response:
    """A REST-JSON error: the code in a header, where botocore looks for it first."""
    headers = {"x-amzn-ErrorType": error.code, "x-amzn-RequestId": str(uuid4())}
    return Response(json.dumps({"Message": error.message}), error.status, headers, "application/json")
