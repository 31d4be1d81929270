"""Items of the jobs table, and the jobs and history lines that they hold.

boto3's own serializer turns values into DynamoDB's attribute values. It takes Decimal for numbers and no float, so a
float goes through its text: the number is stored as Python prints it. Parameters and other nested values are JSON
text: they keep every number as it was sent.
"""

import json
import zlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from darkroom.jobs.contract import Components, PaintedImage, Timings, WorkError
from darkroom.jobs.model import Job, JobLine, Transition, as_json
from darkroom.jobs.state import OPEN, SUCCEED

Item = dict[str, Any]
"""An item as DynamoDB takes and gives it: each attribute with its type, as in `{"id": {"S": "…"}}`."""
_SERIALIZER, _DESERIALIZER = TypeSerializer(), TypeDeserializer()


def attribute(value: object) -> Any:
    """A text, number or list of texts as an attribute value."""
    return _SERIALIZER.serialize(Decimal(str(value)) if isinstance(value, float) else value)


def attributes(values: Mapping[str, object]) -> Item:
    """Values by name as attributes; what is None is left out."""
    return {name: attribute(value) for name, value in values.items() if value is not None}


def values_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an item by name; its numbers are Decimal."""
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}


def progress_number(progress: float) -> Decimal:
    """A job's progress as it is stored: with four decimals."""
    return Decimal(f"{progress:.4f}")


def shard_of(job_id: str, shards: int) -> int:
    """The shard that a job's line is in, by its id alone."""
    return zlib.crc32(job_id.encode()) % shards


def to_item(job: Job, shards: int) -> Item:
    """A new job as an item of the table."""
    line, shard = job.line, shard_of(job.line.id, shards)
    return attributes(
        {
            "id": line.id,
            "owner": line.owner,
            "type": line.type,
            "mode": line.mode,
            "status": line.status,
            "endpoint": line.endpoint,
            "checkpoint": line.checkpoint,
            "prompt": line.prompt,
            "feed": str(shard),
            "type_shard": f"{line.type}#{shard}",
            # The index of statuses holds only what did not succeed.
            "status_shard": f"{line.status}#{shard}" if line.status != SUCCEED else None,
            "open_shard": str(shard) if line.status in OPEN else None,
            "parameters": _json(job.parameters),
            "inputs": _json(job.inputs) if job.inputs else None,
            "uses": job.uses,
            "models": _json(job.models) if job.models else None,
            "spellings": _json(job.spellings) if job.spellings is not None else None,
            "objects": _json(job.objects) if job.objects else None,
            "files": _json(job.files) if job.files else None,
            "instance_type": job.instance_type,
            "replay_of": job.replay_of,
            "notices": list(job.notices) or None,
            "lora": list(line.lora) or None,
            "price": line.price,
            "expires_at": job.expires_at,
        }
    )


def brought_by(transition: Transition) -> dict[str, object]:
    """The values that a transition writes besides the status and its notices, by attribute; None where it brings
    nothing."""
    images, timings, error = transition.images, transition.timings, transition.error
    return {
        "output_location": transition.output_location,
        "failure_location": transition.failure_location,
        "caption": transition.caption,
        "submitted_at": transition.submitted_at,
        "completed_at": transition.completed_at,
        "cancelled_when": transition.cancelled_when,
        "images": _json([image.model_dump(exclude_none=True) for image in images]) if images else None,
        "image_count": len(images) if images else None,
        "first_image": transition.first_image,
        "timings": timings.model_dump_json(exclude_none=True) if timings else None,
        "run_seconds": timings.busy if timings else None,
        "error": error.model_dump_json() if error else None,
        "error_code": error.code if error else None,
        "components": transition.components.model_dump_json(exclude_none=True) if transition.components else None,
    }


def line_from_item(item: Mapping[str, Any]) -> JobLine:
    """The history line of an item, from the table or any index."""
    return _line(values_of(item))


def from_item(item: Mapping[str, Any]) -> Job:
    """The whole job of an item of the table."""
    values = values_of(item)
    timings, error, components = values.get("timings"), values.get("error"), values.get("components")
    return Job(
        line=_line(values),
        parameters=json.loads(values["parameters"]),
        inputs=json.loads(values.get("inputs", "{}")),
        uses=int(values["uses"]) if "uses" in values else None,
        models=json.loads(values.get("models", "{}")),
        spellings=json.loads(values.get("spellings", "null")),
        expires_at=int(values["expires_at"]) if "expires_at" in values else None,
        instance_type=values.get("instance_type"),
        failure_location=values.get("failure_location"),
        started_at=values.get("started_at"),
        progress=_float(values, "progress"),
        images=tuple(PaintedImage.model_validate(image) for image in json.loads(values.get("images", "[]"))),
        caption=values.get("caption"),
        timings=Timings.model_validate_json(timings) if timings else None,
        error=WorkError.model_validate_json(error) if error else None,
        submitted_at=values.get("submitted_at"),
        replay_of=values.get("replay_of"),
        cancelled_when=values.get("cancelled_when"),
        output_location=values.get("output_location"),
        run=int(values.get("run", 1)),
        hand_overs=int(values.get("hand_overs", 0)),
        handed_over_at=values.get("handed_over_at"),
        objects=json.loads(values.get("objects", "{}")),
        files=json.loads(values.get("files", "{}")),
        notices=tuple(values.get("notices", ())),
        components=Components.model_validate_json(components) if components else None,
    )


def _line(values: dict[str, Any]) -> JobLine:
    return JobLine(
        id=values["id"],
        owner=values["owner"],
        type=values["type"],
        status=values["status"],
        endpoint=values.get("endpoint"),
        mode=values.get("mode"),
        checkpoint=values.get("checkpoint"),
        completed_at=values.get("completed_at"),
        image_count=int(values.get("image_count", 0)),
        first_image=values.get("first_image"),
        prompt=values.get("prompt"),
        lora=tuple(values.get("lora", ())),
        run_seconds=_float(values, "run_seconds"),
        price=_float(values, "price"),
    )


def _float(values: dict[str, Any], name: str) -> float | None:
    return float(values[name]) if name in values else None


def _json(value: object) -> str:
    return as_json(value).decode()
