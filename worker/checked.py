"""What a body says, checked against a model; each field that is wrong is named."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from worker.errors import JobError

Checked = TypeVar("Checked", bound=BaseModel)


def checked(model: type[Checked], values: Mapping[str, Any], what: str, whole: str = "") -> Checked:
    """The values as a `model`. Raises JobError `parameter_invalid`, which names each wrong field of `what`; a fault of
    the values as a whole is told as one of `whole`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        message = f"The worker cannot use {what}: {wrong_fields(error, whole)}."
        raise JobError("parameter_invalid", message) from error


def wrong_fields(error: ValidationError, whole: str = "") -> str:
    """Each wrong field and why. Without the values: prompts and signed URLs must not be in logs and messages."""
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or whole}: {each['msg']}" for each in error.errors())


def options_said(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the WebUI in a body's `override_settings`, without those that are null."""
    return without_nulls(parameters.get("override_settings") or {})


def without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are said: as in the WebUI's API, null means the default."""
    return {name: value for name, value in values.items() if value is not None}
