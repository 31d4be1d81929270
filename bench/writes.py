"""What the writes of one job cost in write units, by row and by index, measured on moto: `make bench`.

The rows before and after each write are compared as DynamoDB bills it (Developer Guide, "Provisioned throughput
considerations for Global Secondary Indexes"): a KB of a row is a unit, two in a transaction. An index costs nothing
when nothing changes that it holds, one unit a KB of its item when something does, and both items when its key changes.
That a transaction doubles the units of the rows alone, and not those of the indexes, is how AWS describes it; nobody
has measured it here.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from darkroom.tables import JOBS, Index
from tests.support.events import completed, deliver, progress
from tests.support.http import call
from tests.support.stage import Stage, moto_stage

WRITE_PRICE = 0.625
"""US dollars for a million write request units on demand in us-east-1 (AWS price list, 2025)."""
Item = Mapping[str, Mapping[str, Any]]
_CONDITION_UNITS = 2
"""A condition on a row of up to 1 KB in a transaction."""


def size_of(item: Item) -> int:
    """The size of an item as DynamoDB counts it: names and values of its attributes (Developer Guide, "DynamoDB item
    sizes and formats")."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "B":
        return len(content)
    if kind == "N":
        return len(content.strip("-").replace(".", "")) // 2 + 2
    if kind == "M":
        return 3 + len(content) + size_of(content)
    if kind == "L":
        return 3 + len(content) + sum(map(_value_size, content))
    return 1


def in_index(item: Item, index: Index) -> dict[str, Mapping[str, Any]] | None:
    """What an index holds of an item of the jobs table, None when the item is not in it."""
    if index.partition not in item:
        return None
    kept = {index.partition, index.sort, JOBS.partition, *index.projected}
    return {name: value for name, value in item.items() if name in kept}


def _kilobytes(item: Item | None) -> int:
    return ceil(size_of(item) / 1024) if item else 0


def index_units(before: Item, after: Item, index: Index) -> int:
    """The units of one index for a write that made `after` out of `before`; an empty item is none."""
    old, new = in_index(before, index), in_index(after, index)
    if old == new:
        return 0
    if old and new and old[index.partition] == new[index.partition]:
        return max(_kilobytes(old), _kilobytes(new))
    return _kilobytes(old) + _kilobytes(new)


@dataclass
class Write:
    """One write: the units of the rows, and those of each index that it writes to."""

    name: str
    row: int = 0
    indexes: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All its units."""
        return self.row + self.indexes.total()


@contextmanager
def metered(stage: Stage) -> Iterator[list[Write]]:
    """Every write to the jobs table in its order, with conditions on other rows that a transaction has beside it."""
    writes: list[Write] = []
    before: dict[str, Item] = {}

    def rows() -> dict[str, Item]:
        return {item["id"]["S"]: item for item in stage.rows()}

    def begin(params: Any, model: Any, **_: object) -> None:
        before.clear()
        before.update(rows())
        write = Write(model.name)
        conditions = [item for item in params.get("TransactItems", []) if "ConditionCheck" in item]
        write.row = _CONDITION_UNITS * len(conditions)
        writes.append(write)

    def end(model: Any, **_: object) -> None:
        after, write = rows(), writes[-1]
        doubled = 2 if model.name == "TransactWriteItems" else 1
        for job_id in before.keys() | after.keys():
            old, new = before.get(job_id, {}), after.get(job_id, {})
            if old != new:
                write.row += doubled * max(_kilobytes(old), _kilobytes(new))
                write.indexes.update({index.name: index_units(old, new, index) for index in JOBS.indexes})
        write.indexes = +write.indexes

    clients = [stage.clients("dynamodb"), stage.clients("dynamodb", fail_fast=True)]
    names = ("TransactWriteItems", "UpdateItem", "PutItem", "DeleteItem")
    for client in clients:
        for name in names:
            client.meta.events.register(f"provide-client-params.dynamodb.{name}", begin)
            client.meta.events.register(f"after-call.dynamodb.{name}", end)
    try:
        yield writes
    finally:
        for client in clients:
            for name in names:
                client.meta.events.unregister(f"provide-client-params.dynamodb.{name}", begin)
                client.meta.events.unregister(f"after-call.dynamodb.{name}", end)


@dataclass(frozen=True)
class Case:
    """A txt2img job: the characters of its prompts, its pictures, and whether they are written in an alphabet whose
    letters are three bytes long."""

    name: str
    prompt: int
    negative: int
    pictures: int = 1
    wide: bool = False


TYPICAL = Case("typical: a prompt of 400 characters, one picture", 400, 150)
LONG = Case("long: a prompt of 700 characters, four pictures", 700, 200, 4)
WORST = Case("worst: a Chinese prompt of 4,000 characters, 64 pictures", 4_000, 1_000, 64, wide=True)
CASES = (TYPICAL, LONG, WORST)
CHECKPOINT = "dreamshaperXL_v21TurboDPMSDE.safetensors"
_PROMPT = (
    "masterpiece, best quality, portrait of an old fisherman with a weathered face, looking out over the harbour at "
    "dawn, knitted sweater, soft rim lighting, shallow depth of field, gulls above wooden boats, nets and ropes in the "
    "foreground, mist, volumetric fog, cinematic composition, film grain, kodak portra 400, 85mm, intricate texture, "
    "muted palette of teal and copper, subsurface scattering, sharp focus, dramatic clouds, wet cobblestones, lantern "
    "glow, hyperdetailed engraving of a lighthouse on cliffs, seaweed, barnacles, brass telescope, oilskin coat, pipe "
    "smoke curling upward, crow's feet, silver beard, woven basket of mackerel, peeling turquoise paint, tarred hull, "
    "distant thunder, golden hour reflections, award-winning national geographic photograph, unsplash, raw photo"
)
_NEGATIVE = (
    "lowres, bad anatomy, bad hands, extra digits, missing fingers, cropped, worst quality, jpeg artifacts, signature, "
    "watermark, username, blurry, deformed, mutated limbs, out of frame, duplicate, oversaturated"
)


def _texts(case: Case) -> tuple[str, str]:
    """Prompt and negative prompt of their lengths. No part of them comes twice, for that would pack too well."""
    if case.wide:
        dice = random.Random(1)  # noqa: S311 - a bench, not a secret
        letters = "".join(chr(dice.randrange(0x4E00, 0x9FA5)) for _ in range(case.prompt + case.negative))
        return letters[: case.prompt], letters[case.prompt :]
    assert (case.prompt, case.negative) <= (len(_PROMPT), len(_NEGATIVE))
    return _PROMPT[: case.prompt], _NEGATIVE[: case.negative]


def body(case: Case) -> dict[str, Any]:
    """What a page or a script would send."""
    prompt, negative = _texts(case)
    parameters = {
        "prompt": prompt,
        "negative_prompt": negative,
        "seed": -1,
        "steps": 28,
        "sampler_name": "DPM++ 2M",
        "scheduler": "Karras",
        "cfg_scale": 6.5,
        "width": 832,
        "height": 1216,
        "batch_size": min(8, case.pictures),
        "n_iter": max(1, case.pictures // 8),
    }
    return {"type": "txt2img", "checkpoint": CHECKPOINT, "parameters": parameters}


def answer(job_id: str, case: Case) -> dict[str, Any]:
    """What a worker of the second contract answers."""
    sent = body(case)["parameters"]
    infotext = (
        f"{sent['prompt']}\nNegative prompt: {sent['negative_prompt']}\n"
        "Steps: 28, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: {seed}, Size: 832x1216, "
        "Model hash: 6ce0161689, Model: dreamshaperXL_v21TurboDPMSDE, Version: v1.10.1"
    )
    folder = f"jobs/{job_id}/output"
    pictures = [
        {
            "key": f"{folder}/{number}.png",
            "thumbnail": f"{folder}/thumbnails/{number}.webp",
            "width": 832,
            "height": 1216,
            "seed": 3_141_592_653 + number,
            "infotext": infotext.replace("{seed}", str(3_141_592_653 + number)),
            "sha256": f"{number:02x}" * 32,
        }
        for number in range(case.pictures)
    ]
    components = {
        "engine": "diffusers",
        "version": "0.36.0",
        "attention": "sdpa",
        "precision": "float16",
        "files": [{"kind": "stable-diffusion", "name": CHECKPOINT, "sha256": "6c" * 32}],
    }
    timings = {"queued": 0.012, "download": 0.0, "load": 1.871, "run": 5.402}
    return {"images": pictures, "timings": timings, "components": components}


def _places(_name: str, job_id: str, _body: bytes) -> tuple[str, str]:
    """Where SageMaker puts answer and failure file, with names as long as CloudFormation makes them."""
    bucket = "s3://darkroom-v1-data-picturesbucket1a2b3c4d-5e6f7a8b9c0d"
    return (
        f"{bucket}/jobs/{job_id}/output/response.json",
        f"{bucket}/failures/8c2f1d0a-5b7e-4f36-9a41-d2c4e6f80b13-error.out",
    )


def life_of(case: Case) -> list[Write]:
    """The writes of one job from its creation to its end, with one report of its progress."""
    with moto_stage() as stage, metered(stage) as writes, patch.object(stage.sagemaker, "invoke", _places):
        stage.model(CHECKPOINT)
        reply = call("POST", "/jobs", body(case))
        assert reply.status == 201, reply.body
        job_id = reply.json["id"]
        deliver(progress(job_id, 0.5))
        deliver(completed(job_id, answer(job_id, case)))
        names = ("create", "mark", "progress", "end")
        assert len(writes) == len(names), writes
        for name, write in zip(names, writes, strict=True):
            write.name = name
        return writes


def without_progress(writes: list[Write]) -> int:
    """The units of a job that its worker reports nothing of: progress costs what it costs as often as it comes."""
    return sum(write.total for write in writes if write.name != "progress")


def table_of(case: Case, writes: list[Write]) -> Table:
    """The units of each write, in the row and in each index."""
    names = [index.name for index in JOBS.indexes]
    total = without_progress(writes)
    title = f"{case.name}: {total} units, {total * WRITE_PRICE:.2f} US dollars for a million jobs"
    table = Table("write", "row", *names, "in all", title=title)
    for write in writes:
        cells = (str(write.indexes[name] or "") for name in names)
        table.add_row(write.name, str(write.row), *cells, str(write.total))
    return table


def main() -> int:
    """Print a table for each case."""
    console = Console(width=150)
    for case in CASES:
        console.print(table_of(case, life_of(case)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
