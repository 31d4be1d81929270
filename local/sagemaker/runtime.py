"""InvokeEndpointAsync: from the call's input to an invocation and the call's answer."""

from uuid import uuid4

from local.sagemaker.backlog import Invocation
from local.sagemaker.protocol import Document, ServiceError

DEFAULT_TTL_SECONDS = 21_600
DEFAULT_TIMEOUT_SECONDS = 900
"""Both as the service model documents RequestTTLSeconds and InvocationTimeoutSeconds."""


def accept(parameters: Document, endpoint: Document, now: float, elsewhere: str | None = None) -> Invocation:
    """The invocation for a checked call at an endpoint (DescribeEndpoint's answer); `now` is in epoch seconds. With
    `elsewhere`, its answer goes under that prefix of the output bucket, wherever the call wants it.

    Raises ServiceError when the endpoint is not asynchronous.
    """
    if "AsyncInferenceConfig" not in endpoint:
        name = endpoint["EndpointName"]
        raise ServiceError("ValidationError", f"Endpoint {name} is not an asynchronous inference endpoint.")
    if not parameters.get("InputLocation", "s3://").startswith("s3://"):
        raise ServiceError("ValidationError", "InputLocation must be an s3:// URI here.")
    output = endpoint["AsyncInferenceConfig"]["OutputConfig"]
    topics = output.get("NotificationConfig", {})
    inference_id = parameters.get("InferenceId") or str(uuid4())
    return Invocation(
        endpoint=endpoint["EndpointName"],
        inference_id=inference_id,
        content_type=parameters.get("ContentType"),
        accept=parameters.get("Accept"),
        custom_attributes=parameters.get("CustomAttributes"),
        input_location=parameters.get("InputLocation"),
        output_location=_output_location(parameters, output["S3OutputPath"], elsewhere),
        failure_location=_failure_location(inference_id, output.get("S3FailurePath")),
        timeout_seconds=parameters.get("InvocationTimeoutSeconds", DEFAULT_TIMEOUT_SECONDS),
        received=now,
        success_topic=topics.get("SuccessTopic"),
        error_topic=topics.get("ErrorTopic"),
        include_response_in=tuple(topics.get("IncludeInferenceResponseIn", ())),
    )


def _output_location(parameters: Document, path: str, elsewhere: str | None) -> str:
    """Without a Filename, the name is random. Messages of real endpoints show that it is not the inference id, so only
    the answer's OutputLocation has it.
    """
    if elsewhere:
        bucket = path.removeprefix("s3://").partition("/")[0]
        return f"s3://{bucket}/{elsewhere.strip('/')}/{uuid4()}.out"
    extension = parameters.get("S3OutputPathExtension", "").strip("/")
    filename = parameters.get("Filename", f"{uuid4()}.out")
    return "/".join(part for part in (path.rstrip("/"), extension, filename) if part)


def _failure_location(inference_id: str, path: str | None) -> str | None:
    return f"{path.rstrip('/')}/{inference_id}-error.out" if path else None
