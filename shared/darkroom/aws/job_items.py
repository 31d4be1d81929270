"""Items of the jobs table, and the jobs and history lines that they hold.

boto3's own serializer turns values into DynamoDB's attribute values. It takes Decimal for numbers and no float, so a
float goes through its text: the number is stored as Python prints it. Parameters and other nested values are JSON
text: they keep every number as it was sent.

DynamoDB bills each KB of an item at every write of it, and a line is written to every index, so long texts are packed.
"""

import json
import zlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from darkroom.jobs.contract import Components, PaintedImage, Timings, WorkError
from darkroom.jobs.model import Job, JobLine, Transition, as_json, output_prefix, seeds_of
from darkroom.jobs.state import OPEN, SUCCEED, Status
from darkroom.tables import LINE, LISTED_AS

Item = dict[str, Any]
"""An item as DynamoDB takes and gives it: each attribute with its type, as in `{"id": {"S": "…"}}`."""
_SERIALIZER, _DESERIALIZER = TypeSerializer(), TypeDeserializer()


PLAIN_BYTES = 200
"""Texts up to this length are stored as they are: packing them would win little, and people can read them."""


def attribute(value: object) -> Any:
    """A text, number, list of texts or numbers, or bytes as an attribute value; a dictionary of these, without what is
    None, as a map."""
    if isinstance(value, dict):
        return {"M": attributes(value)}
    return _SERIALIZER.serialize(Decimal(str(value)) if isinstance(value, float) else value)


def attributes(values: Mapping[str, object]) -> Item:
    """Values by name as attributes; what is None is left out."""
    return {name: attribute(value) for name, value in values.items() if value is not None}


def packed(text: str) -> str | bytes:
    """A text as it is stored: itself when it is short, else compressed if that makes it shorter."""
    content = text.encode()
    if len(content) <= PLAIN_BYTES:
        return text
    compressed = zlib.compress(content, 9)
    return compressed if len(compressed) < len(content) else text


def unpacked(value: Any) -> str:
    """The text of a value that `packed` made."""
    return value if isinstance(value, str) else zlib.decompress(bytes(value)).decode()


def values_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an item by name; its numbers are Decimal."""
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}


def progress_number(progress: float) -> Decimal:
    """A job's progress as it is stored: with four decimals."""
    return Decimal(f"{progress:.4f}")


def shard_of(job_id: str, shards: int) -> int:
    """The shard that a job's line is in, by its id alone."""
    return zlib.crc32(job_id.encode()) % shards


def status_key(status: Status, shard: int) -> str | None:
    """The partition of the index of statuses, which holds only what did not succeed."""
    return f"{status}#{shard}" if status != SUCCEED else None


def to_item(job: Job, shards: int, listed_as: Status | None = None) -> Item:
    """A job as an item of the table. `listed_as` is the status that lists show, None for the job's own."""
    line, shard = job.line, shard_of(job.line.id, shards)
    listed = listed_as or line.status
    return attributes(
        {
            "id": line.id,
            "owner": line.owner,
            "type": line.type,
            "status": line.status,
            LISTED_AS: listed,
            "endpoint": line.endpoint,
            "checkpoint": line.checkpoint,
            LINE: _columns(line),
            "feed": str(shard),
            "type_shard": f"{line.type}#{shard}",
            "status_shard": status_key(listed, shard),
            "open_shard": str(shard) if line.status in OPEN else None,
            "parameters": _json(_without_prompt(job)),
            "inputs": _json(job.inputs) if job.inputs else None,
            "uses": job.uses,
            "models": _json(job.models) if job.models else None,
            "spellings": _json(job.spellings) if job.spellings is not None else None,
            "objects": _json(job.objects) if job.objects else None,
            "files": _json(job.files) if job.files else None,
            "instance_type": job.instance_type,
            "pool": _json(dict(job.pool)) if job.pool else None,
            "replay_of": job.replay_of,
            "notices": list(job.notices) or None,
            "expires_at": job.expires_at,
        }
    )


def _without_prompt(job: Job) -> dict[str, Any]:
    """The parameters without the prompt, when the line has it whole: it is the longest part of most rows."""
    if job.line.prompt is None or job.parameters.get("prompt") != job.line.prompt:
        return job.parameters
    return {name: value for name, value in job.parameters.items() if name != "prompt"}


def _with_prompt(parameters: dict[str, Any], line: JobLine) -> dict[str, Any]:
    """The parameters as they were before `_without_prompt`."""
    return parameters if line.prompt is None else {"prompt": line.prompt, **parameters}


def _columns(line: JobLine) -> dict[str, object]:
    """What the map of a line holds."""
    return {
        "mode": line.mode,
        "completed_at": line.completed_at,
        "image_count": line.image_count or None,
        "first_image": _relative(line.id, line.first_image) if line.first_image else None,
        "prompt": packed(line.prompt) if line.prompt is not None else None,
        "lora": list(line.lora) or None,
        "run_seconds": line.run_seconds,
        "price": line.price,
        "price_estimated": line.price_estimated or None,
        "seeds": list(line.seeds) or None,
        "batch": line.batch,
        "notice_count": line.notice_count or None,
        "title": line.title,
        "rating": line.rating,
        "tags": list(line.tags) or None,
    }


def _relative(job_id: str, key: str) -> str:
    """The S3 key of something that a worker wrote, with `/` for the part that the job's id tells. No other key begins
    with it."""
    prefix = output_prefix(job_id)
    return "/" + key.removeprefix(prefix) if key.startswith(prefix) else key


def _absolute(job_id: str, key: str) -> str:
    """The S3 key of which `_relative` made this."""
    return output_prefix(job_id) + key[1:] if key.startswith("/") else key


def short_place(job_id: str, uri: str) -> str:
    """Where SageMaker puts something of a job (an S3 URI), as it is stored: with `~` before it and for its id."""
    return "~" + uri.replace(job_id, "~") if job_id in uri and "~" not in uri else uri


def whole_place(job_id: str, stored: str | None) -> str | None:
    """The S3 URI of which `short_place` made this."""
    return stored[1:].replace("~", job_id) if stored and stored.startswith("~") else stored


def line_brought_by(job_id: str, transition: Transition) -> dict[str, object]:
    """What a transition writes to the map of the line; None where it brings nothing."""
    images, timings, first = transition.images or (), transition.timings, transition.first_image
    ran = transition.ran
    return {
        "completed_at": transition.completed_at,
        "image_count": len(images) or None,
        "first_image": _relative(job_id, first) if first else None,
        "seeds": list(seeds_of(images)) or None,
        "run_seconds": timings.busy if timings else None,
        "price": ran.price if ran else None,
        "price_estimated": ran.estimated if ran else None,
    }


def brought_by(job_id: str, transition: Transition) -> dict[str, object]:
    """What a transition writes to the row besides the status, the line and the notices; None where it brings
    nothing."""
    images, timings, error = transition.images, transition.timings, transition.error
    output, failure = transition.output_location, transition.failure_location
    return {
        "output_location": short_place(job_id, output) if output else None,
        "failure_location": short_place(job_id, failure) if failure else None,
        "caption": transition.caption,
        "submitted_at": transition.submitted_at,
        "cancelled_when": transition.cancelled_when,
        "images": _json([_image(job_id, image) for image in images]) if images else None,
        "timings": timings.model_dump_json(exclude_none=True) if timings else None,
        "error": error.model_dump_json() if error else None,
        "error_code": error.code if error else None,
        "components": _components(transition),
        "instance_type": transition.ran.instance_type if transition.ran else None,
    }


def _image(job_id: str, image: PaintedImage) -> dict[str, Any]:
    stored = image.model_dump(exclude_none=True)
    return stored | {name: _relative(job_id, stored[name]) for name in ("key", "thumbnail") if name in stored}


def _images_of(values: dict[str, Any]) -> tuple[PaintedImage, ...]:
    stored = _read(values, "images") or ()
    keys = [
        {name: _absolute(values["id"], image[name]) for name in ("key", "thumbnail") if image.get(name)}
        for image in stored
    ]
    return tuple(PaintedImage.model_validate(image | full) for image, full in zip(stored, keys, strict=True))


def _components(transition: Transition) -> str | bytes | None:
    components = transition.components
    return packed(components.model_dump_json(exclude_none=True)) if components else None


def line_from_item(item: Mapping[str, Any]) -> JobLine:
    """The history line of an item of an index."""
    values = values_of(item)
    return _line(values, values[LISTED_AS])


def from_item(item: Mapping[str, Any]) -> Job:
    """The whole job of an item of the table."""
    values = values_of(item)
    timings, error = values.get("timings"), values.get("error")
    components = unpacked(values["components"]) if "components" in values else None
    line = _line(values, values["status"])
    return Job(
        line=line,
        parameters=_with_prompt(_read(values, "parameters"), line),
        inputs=_read(values, "inputs") or {},
        uses=int(values["uses"]) if "uses" in values else None,
        models=_read(values, "models") or {},
        spellings=_read(values, "spellings"),
        expires_at=int(values["expires_at"]) if "expires_at" in values else None,
        instance_type=values.get("instance_type"),
        pool=pool_prices(values),
        failure_location=whole_place(values["id"], values.get("failure_location")),
        started_at=values.get("started_at"),
        progress=_float(values, "progress"),
        loading=_float(values, "loading"),
        images=_images_of(values),
        caption=values.get("caption"),
        timings=Timings.model_validate_json(timings) if timings else None,
        error=WorkError.model_validate_json(error) if error else None,
        submitted_at=values.get("submitted_at"),
        replay_of=values.get("replay_of"),
        cancelled_when=values.get("cancelled_when"),
        output_location=whole_place(values["id"], values.get("output_location")),
        run=int(values.get("run", 1)),
        hand_overs=int(values.get("hand_overs", 0)),
        handed_over_at=values.get("handed_over_at"),
        objects=_read(values, "objects") or {},
        files=_read(values, "files") or {},
        notices=tuple(values.get("notices", ())),
        components=Components.model_validate_json(components) if components else None,
    )


def _line(values: dict[str, Any], status: Status) -> JobLine:
    columns, first = values[LINE], values[LINE].get("first_image")
    return JobLine(
        id=values["id"],
        owner=values["owner"],
        type=values["type"],
        status=status,
        endpoint=values.get("endpoint"),
        mode=columns.get("mode"),
        checkpoint=values.get("checkpoint"),
        completed_at=columns.get("completed_at"),
        image_count=int(columns.get("image_count", 0)),
        first_image=_absolute(values["id"], first) if first else None,
        prompt=unpacked(columns["prompt"]) if "prompt" in columns else None,
        lora=tuple(columns.get("lora", ())),
        run_seconds=_float(columns, "run_seconds"),
        price=_float(columns, "price"),
        price_estimated=bool(columns.get("price_estimated", False)),
        seeds=tuple(int(seed) for seed in columns.get("seeds", ())),
        batch=_int(columns, "batch"),
        notice_count=int(columns.get("notice_count", 0)),
        title=columns.get("title"),
        rating=_int(columns, "rating"),
        tags=tuple(columns.get("tags", ())),
    )


def pool_prices(values: dict[str, Any]) -> dict[str, float | None]:
    """The prices of the instance types of a job's endpoint, if they are several."""
    return _read(values, "pool") or {}


def _float(values: dict[str, Any], name: str) -> float | None:
    return float(values[name]) if name in values else None


def _int(values: dict[str, Any], name: str) -> int | None:
    return int(values[name]) if name in values else None


def _json(value: object) -> str | bytes:
    return packed(as_json(value).decode())


def _read(values: dict[str, Any], name: str) -> Any:
    """The value of an attribute that `_json` made, None where there is none."""
    return json.loads(unpacked(values[name])) if name in values else None
