"""What a page of the history costs at 1 k, 10 k, 100 k and 1 M jobs: `make bench`.

The jobs stand in the twin of the table's indexes (`tests/support/memory.py`), which counts what is read; the
same suite holds the twin and the real adapter to the same answers. So calls and items examined are exact,
and read units are worked out from them and from the size of the lines as DynamoDB counts it. The time is
that of the planner and the fill loop, without the reads themselves: what DynamoDB takes for a Query does not
depend on the size of the table.
"""

import argparse
import random
import statistics
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from rich.console import Console
from rich.table import Table

from bench.writes import in_index, size_of
from darkroom import ids
from darkroom.aws.job_items import to_item
from darkroom.jobs.draft import PROMPT_IN_LINE
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import Page, Slice, Stream, fill, plan
from darkroom.jobs.model import Job, JobLine
from darkroom.jobs.state import Status
from darkroom.jobs.types import JobType
from darkroom.tables import JOBS, Index
from tests.support.memory import MemoryHistory

SIZES = (1_000, 10_000, 100_000, 1_000_000)
END = 1_790_000_000_000
TWO_YEARS = 2 * 365 * 86_400_000
COMBINED = 300
"""Items examined at most for a page of 10 when a rare value is combined with a common one."""
WORDS = ("lighthouse", "storm", "cat", "portrait", "forest", "neon", "city", "river", "old", "young", "film", "snow")
OPEN_JOBS = 5_000
"""Open jobs that a stage takes by default."""
OPEN_INDEX = next(index for index in JOBS.indexes if index.name == "open")


@dataclass(frozen=True)
class Question:
    """A question people ask; `single` when it is one filter, `combined` when it joins a rare value and a common one."""

    name: str
    filters: Filters
    single: bool = False
    combined: bool = False


def questions() -> list[Question]:
    """A dozen and a few, from the plain list to words in the prompt."""
    week = (END - TWO_YEARS // 2, END - TWO_YEARS // 2 + 7 * 86_400_000)
    low, high = (str(uuid.UUID(int=moment << 80)) for moment in week)
    fail: list[Status] = ["fail"]
    unfinished: list[Status] = ["created", "in_progress"]
    return [
        Question("the newest", Filters(), single=True),
        Question("type txt2img (60 %)", Filters(type=["txt2img"]), single=True),
        Question("type interrogate_clip (4 %)", Filters(type=["interrogate_clip"]), single=True),
        Question("status fail (2 %)", Filters(status=fail), single=True),
        Question("created or in progress", Filters(status=unfinished)),
        Question("an endpoint", Filters(endpoint="endpoint-0"), single=True),
        Question("the commonest checkpoint", Filters(checkpoint="checkpoint-0"), single=True),
        Question("a rare checkpoint", Filters(checkpoint="checkpoint-150"), single=True),
        Question("an owner", Filters(owner="owner-3"), single=True),
        Question("a week a year ago", Filters(low=low, high=high), single=True),
        Question(
            "rare checkpoint and txt2img",
            Filters(checkpoint="checkpoint-150", type=["txt2img"]),
            combined=True,
        ),
        Question(
            "commonest checkpoint and fail",
            Filters(checkpoint="checkpoint-0", status=fail),
            combined=True,
        ),
        Question("fail and txt2img", Filters(status=fail, type=["txt2img"]), combined=True),
        Question("rare checkpoint and succeed", _succeeded("checkpoint-150"), combined=True),
        Question(
            "three statuses and the commonest checkpoint",
            Filters(checkpoint="checkpoint-0", status=unfinished + fail),
            combined=True,
        ),
        Question("status succeed (85 %, no index)", Filters(status=["succeed"])),
        Question("a LoRA (1 %) and txt2img", Filters(lora="film", type=["txt2img"])),
        Question("fail and an owner (rare, rare)", Filters(status=fail, owner="owner-3")),
        Question("owner and an endpoint", Filters(owner="owner-3", endpoint="endpoint-0")),
        Question("a word of the prompt", Filters(q="lighthouse")),
        Question("two words of the prompt", Filters(q="lighthouse snow")),
        Question("a LoRA (1 %)", Filters(lora="film")),
    ]


def _succeeded(checkpoint: str) -> Filters:
    return Filters(checkpoint=checkpoint, status=["succeed"])


TYPES: dict[JobType, int] = {
    "txt2img": 60,
    "img2img": 33,
    "extras": 3,
    "interrogate_clip": 3,
    "interrogate_deepbooru": 1,
}
"""Jobs of each type in a hundred."""


def jobs(count: int, seed: int = 7) -> Sequence[JobLine]:
    """Jobs of a realistic mix over two years: 85 % succeed, 2 % fail, 60 % txt2img, 200 checkpoints with a long
    tail, 30 owners, 8 endpoints."""
    dice = random.Random(seed)  # noqa: S311 - a bench, not a secret
    moments = sorted(dice.randrange(END - TWO_YEARS, END) for _ in range(count))
    types = dice.choices(list(TYPES), list(TYPES.values()), k=count)
    statuses: list[Status] = dice.choices(
        ("succeed", "fail", "cancelled", "in_progress", "created"), (85, 2, 11, 1, 1), k=count
    )
    checkpoints = dice.choices(range(200), [1 / (rank + 1) for rank in range(200)], k=count)
    prompts = [" ".join(dice.choices(WORDS, k=12)) for _ in range(2_000)]
    return [
        JobLine(
            id=str(uuid.UUID(int=moment << 80 | 7 << 76 | 2 << 62 | number)),
            owner=f"owner-{dice.randrange(30)}",
            type=types[number],
            status=statuses[number],
            endpoint=f"endpoint-{dice.randrange(8)}",
            checkpoint=f"checkpoint-{checkpoints[number]}",
            completed_at="2026-01-01T00:00:00.000Z",
            image_count=1,
            first_image=f"jobs/{ids.LOWEST}/output/0.png",
            prompt=prompts[number % 2_000],
            lora=("film.safetensors",) if dice.random() < 0.01 else (),
        )
        for number, moment in enumerate(moments)
    ]


class Timed:
    """A read that knows how long it took in all."""

    def __init__(self, history: MemoryHistory) -> None:
        self._history = history
        self.seconds = 0.0

    def read(self, stream: Stream, filters: Filters, start: str, limit: int) -> Slice:
        """See `history.Read`."""
        began = time.perf_counter()
        try:
            return self._history.read(stream, filters, start, limit)
        finally:
            self.seconds += time.perf_counter() - began


def ask(history: MemoryHistory, question: Question, rounds: int = 15) -> tuple[Page, float]:
    """A page of ten and the median seconds it takes outside of the reads."""
    spent = []
    for _ in range(rounds):
        timed = Timed(history)
        began = time.perf_counter()
        page = fill(timed.read, question.filters, plan(question.filters, history.shards), 10)
        spent.append(time.perf_counter() - began - timed.seconds)
    return page, statistics.median(spent)


def line_bytes(line: JobLine) -> int:
    """The size of a job's line in the index `feed`."""
    return size_of(_in(line, JOBS.indexes[0]))


def open_bytes(line: JobLine) -> int:
    """The size of an open job in the index that counts them."""
    return size_of(_in(replace(line, status="created"), OPEN_INDEX))


def _in(line: JobLine, index: Index) -> Mapping[str, Mapping[str, object]]:
    return in_index(to_item(Job(line, {}), 1), index) or {}


def read_units(page: Page, line: int) -> float:
    """Request units of an eventually consistent page: half of one for each 4 KB a Query examines."""
    return max(page.reads * 0.5, ceil(page.examined * line / 4096) * 0.5)


def broken(question: Question, page: Page) -> bool:
    """Whether a page breaks its budget of items."""
    if question.single:
        return page.examined > max(len(page.lines), 1)
    return question.combined and page.examined >= COMBINED


def main(arguments: list[str]) -> int:
    """Print the tables; 1 when a budget is broken."""
    parser = argparse.ArgumentParser("bench.history")
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="jobs in the largest table")
    largest = parser.parse_args(arguments).largest
    console = Console(width=150)
    sizes = [size for size in SIZES if size <= largest]
    results: dict[str, list[tuple[Page, float]]] = {}
    line = 0
    for size in sizes:
        console.print(f"filling {size:,} jobs ...")
        history = MemoryHistory()
        made = jobs(size)
        for job in made:
            history.put(job)
        line = round(statistics.mean(line_bytes(job) for job in made[:1000]))
        for question in questions():
            results.setdefault(question.name, []).append(ask(history, question))
    failures = _pages(console, sizes, results, line)
    _count_of_open_jobs(console, made[0])
    return 1 if failures else 0


def _pages(console: Console, sizes: list[int], results: dict[str, list[tuple[Page, float]]], line: int) -> int:
    title = f"a page of 10 lines of {line} bytes at {sizes[-1]:,} jobs; from the twin, time without its reads"
    table = Table("question", "lines", "calls", "examined", "per line", "read units", "µs", title=title)
    for measured in ("examined", "time"):
        table.add_column(f"{measured} {sizes[-1]:,} : {sizes[0]:,}")
    failures = 0
    for question in questions():
        (small, quick), (page, slow) = results[question.name][0], results[question.name][-1]
        over = any(broken(question, found) for found, _ in results[question.name])
        failures += over
        table.add_row(
            question.name + (" (over budget)" if over else ""),
            str(len(page.lines)),
            str(page.reads),
            str(page.examined),
            f"{page.examined / max(1, len(page.lines)):.1f}",
            f"{read_units(page, line):.1f}",
            f"{slow * 1e6:.0f}",
            f"{page.examined / max(1, small.examined):.2f}",
            f"{slow / quick:.2f}" if len(small.lines) == len(page.lines) else "-",
        )
    console.print(table)
    return failures


def _count_of_open_jobs(console: Console, line: JobLine) -> None:
    """What the limits of open jobs read, against lines with the longest prompt."""
    longest = replace(line, status="created", prompt=" ".join(map(str, range(10**5, 10**6, 997)))[:PROMPT_IN_LINE])
    table = Table("read from", "bytes a job", "MB", "read units", "calls", title=f"counting {OPEN_JOBS:,} open jobs")
    for name, size in (("open", open_bytes(line)), ("by_status, which has prompts", line_bytes(longest))):
        total = size * OPEN_JOBS
        units = ceil(total / 4096) * 0.5
        table.add_row(name, str(size), f"{total / 1e6:.2f}", f"{units:.0f}", str(ceil(total / 2**20)))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
