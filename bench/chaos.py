"""Every accepted job ends, once, whatever breaks: `make chaos`, or `python -m bench.chaos --jobs 10000`.

Jobs are submitted to a local stack while the simulator doubles, reorders, loses and garbles what it reports, and while
the worker, the simulator and the functions' processes are killed (SIGKILL) and started again. MiniStack keeps its
state only when it is stopped cleanly, so it is stopped and started once. Then everything is left to come to rest, the
sweeper's clock is put forward, and what is left is counted. `docs/reliability.md` tells how.
"""

import argparse
import os
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from bench.ledger import Ledger
from bench.stage import DOWN, Stage
from darkroom import ids
from darkroom.aws.job_items import from_item
from darkroom.jobs.model import answer_keys
from darkroom_client import Darkroom, Refused
from local import stack
from local.home import Home
from local.processes import StackError
from local.seed import CHECKPOINT

T = TypeVar("T")
Say = Callable[[str], None]
KNOBS = {"duplicate_rate": 0.2, "reorder_rate": 0.3, "lose_rate": 0.1, "garbage_rate": 0.02}
VISIBILITY_SECONDS = 20
"""Instead of three minutes: after that, a batch comes again whose function was killed."""
BATCHES_AT_ONCE = 2
"""Instead of ten: each needs a process of its own, which costs two cores seconds to start again."""
KILLED_AT_ONCE = 3
"""Processes of functions."""
PUT_FORWARD = {"JOB_WAIT_SECONDS": "1", "JOB_RUN_SECONDS": "1", "SETTLE_AFTER_SECONDS": "1"}
"""What the sweeper is told in the end. Nothing is on its way any more, so hours pass for it in seconds."""
FORGOTTEN_SECONDS = 10.0
"""After that the sweeper takes a job for forgotten, with these settings."""


@dataclass(frozen=True)
class ChaosPlan:
    """How much is done: `breaks` times each part is killed; `at_once` jobs are open at most, below what an owner may
    have; `meddled` is the share of jobs that are cancelled, and of those that are deleted; `repeated` that of requests
    sent twice. When no job ended for `standstill` seconds, the rest never will."""

    jobs: int = 2_000
    breaks: int = 4
    threads: int = 3
    at_once: int = 120
    meddled: float = 0.03
    repeated: float = 0.1
    sweep_every: float = 5.0
    standstill: float = 120.0
    seed: int = 1

    def steps(self) -> list[str]:
        """What is broken, in order, evenly over the run."""
        steps = ["functions", "worker", "simulator"] * self.breaks
        return [*steps[: len(steps) // 2], "restart", *steps[len(steps) // 2 :]]


@dataclass
class Report:
    """What came out. Those that must be 0 are in `broken`."""

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    tried_again: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    bases: Counter[str] = field(default_factory=Counter)
    deleted: int = 0
    broken_parts: Counter[str] = field(default_factory=Counter)
    sweeps: int = 0
    failed_sweeps: int = 0
    doubled: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    ended_twice: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    dead_letters: Counter[str] = field(default_factory=Counter)
    last_end: float | None = None
    seconds: float = 0.0

    def broken(self) -> dict[str, list[str]]:
        """What must not be, by name."""
        return {
            "lost": self.lost,
            "double ends": self.ended_twice,
            "orphan objects": self.orphans,
            "jobs nobody asked for": self.doubled,
            "refused for no fault of the caller": [f"{code}: {count}" for code, count in self.refused.items()],
        }

    def holds(self) -> bool:
        """Whether the promise was kept."""
        return not any(self.broken().values())


class Chaos:
    """One run. Other jobs may be on the stage, as long as they are older."""

    def __init__(self, home: Home, running: stack.Stack, plan: ChaosPlan, say: Say) -> None:
        self._home = home
        self._stage = Stage(running)
        self._plan = plan
        self._say = say
        self._url, self._key = running.api, home.key_file.read_text()
        self._began = time.time()
        self._since = ids.first_of(datetime.fromtimestamp(self._began, UTC))
        clients = self._stage.aws("dynamodb"), self._stage.aws("dynamodbstreams")
        self._ledger = Ledger(*clients, running.outputs["JobsTable"], self._since)
        self._report = Report()
        self._lock = threading.Lock()
        self._accepted: dict[str, str] = {}
        self._deleted: set[str] = set()
        self._submitted = threading.Event()
        self._stop = threading.Event()
        self._dice = random.Random(plan.seed)  # noqa: S311 - faults, not secrets

    def run(self) -> Report:
        """Submit, break, wait, count; the stage's settings are what they were afterwards."""
        dead = Counter(self._stage.dead_letters())
        with self._settings():
            beside = [threading.Thread(target=act, daemon=True) for act in (self._sweep, self._listen, self._break)]
            for thread in beside:
                thread.start()
            try:
                with ThreadPoolExecutor(self._plan.threads) as pool:
                    list(pool.map(self._submit_some, range(self._plan.threads)))
                self._submitted.set()
                self._say(f"{len(self._accepted)} jobs accepted; waiting for the rest of their ends")
                self._wait_for_ends()
            finally:
                self._submitted.set()
                self._stop.set()
                for thread in beside:
                    thread.join()
            self._come_to_rest()
            self._count(dead)
        self._report.seconds = time.time() - self._began
        return self._report

    @contextmanager
    def _settings(self) -> Iterator[None]:
        visibility, sweeper = self._stage.visibility(VISIBILITY_SECONDS), self._stage.environment("sweeper")
        batches = self._stage.batches_at_once(BATCHES_AT_ONCE)
        self._ledger.open()
        self._stage.knobs(**KNOBS, seed=self._plan.seed)
        try:
            yield
        finally:
            self._stage.knobs()
            self._stage.set_environment("sweeper", sweeper)
            self._stage.visibility(visibility)
            self._stage.batches_at_once(batches)
            self._ledger.close()

    def _submit_some(self, thread: int) -> None:
        """One caller: its share of the jobs, one after the other."""
        dice = random.Random(f"{self._plan.seed}/{thread}")  # noqa: S311 - faults, not secrets
        mine: list[str] = []
        with Darkroom(self._url, self._key) as client:
            for number in range(thread, self._plan.jobs, self._plan.threads):
                self._wait_for_room()
                job_id = self._submit(client, number)
                if job_id is None:
                    continue
                mine.append(job_id)
                if dice.random() < self._plan.repeated:
                    self._submit(client, number)
                fate = dice.random()
                if fate < self._plan.meddled:
                    self._persist(lambda: client.cancel(dice.choice(mine[-4:])), "job_settled", "job_not_found")
                elif fate < 2 * self._plan.meddled:
                    self._delete(client, dice.choice(mine[-4:]))

    def _submit(self, client: Darkroom, number: int) -> str | None:
        """Send one request until it is answered; a key that was used before must tell the same job."""
        key = f"{self._since}-{number}"
        parameters = {"prompt": f"chaos {number}", "seed": number, "width": 64, "height": 64, "steps": 1}
        body = {"type": "txt2img", "checkpoint": CHECKPOINT, "parameters": parameters}
        job = self._persist(lambda: client.submit(body, key), "idempotency_key_job_deleted")
        if job is None:
            return None
        with self._lock:
            if self._accepted.setdefault(key, job["id"]) != job["id"]:
                self._report.doubled.append(job["id"])
        return job["id"]

    def _delete(self, client: Darkroom, job_id: str) -> None:
        self._persist(lambda: client.request("DELETE", f"/jobs/{job_id}"), "job_not_found")
        with self._lock:
            self._deleted.add(job_id)

    def _persist(self, call: Callable[[], T], *expected: str) -> T | None:
        """What `call` answers, sent again as long as something is down; None when it is refused."""
        while not self._stop.is_set():
            try:
                return call()
            except httpx.HTTPError as error:
                again = type(error).__name__
            except Refused as refused:
                # What has no code of ours is MiniStack's own answer, on its way up or down.
                if refused.status < 500 and refused.status != 429 and refused.code != "no_problem":
                    if refused.code not in expected:
                        with self._lock:
                            self._report.refused[refused.code] += 1
                    return None
                again = f"{refused.status} {refused.code}"
            with self._lock:
                self._report.tried_again[again] += 1
            self._stop.wait(random.uniform(0.2, 1.0))  # noqa: S311 - jitter
        return None

    def _wait_for_room(self) -> None:
        room = min(self._plan.at_once, self._plan.jobs // 4)
        while len(self._accepted) - len(self._ledger.ended()) > room and not self._stop.wait(0.1):
            continue

    def _sweep(self) -> None:
        while not self._stop.wait(self._plan.sweep_every):
            try:
                failed = self._stage.sweep() is not None
            except DOWN:
                failed = True
            self._report.sweeps += 1
            self._report.failed_sweeps += failed

    def _listen(self) -> None:
        while not self._stop.wait(0.5):
            try:
                self._ledger.read()
            except DOWN:
                continue

    def _break(self) -> None:
        """Break one thing after the other, as the jobs come to their ends."""
        steps = self._plan.steps()
        for number, step in enumerate(steps, 1):
            share = number / (len(steps) + 1)
            while len(self._ledger.ended()) < share * self._plan.jobs:
                if self._stop.wait(0.1):
                    return
            self._say(f"{len(self._ledger.ended()):5} jobs have ended: {_WORDS[step]}")
            getattr(self, f"_break_{step}")()
            self._report.broken_parts[step] += 1

    def _break_functions(self) -> None:
        found = stack.functions(self._home)
        for process in self._dice.sample(found, min(KILLED_AT_ONCE, len(found))):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue

    def _break_worker(self) -> None:
        self._crash("worker")

    def _break_simulator(self) -> None:
        self._crash("sagemaker")

    def _crash(self, part: str) -> None:
        stack.kill(self._home, part)
        # For so long it is away.
        self._stop.wait(self._dice.uniform(0.5, 2.0))
        stack.start_again(self._home, part)

    def _break_restart(self) -> None:
        try:
            self._ledger.read()
        except DOWN:
            self._say("the last writes before the restart could not be read")
        # MiniStack forgets the temporary credentials it gave, which AWS does not: who had some starts anew, too.
        stack.kill(self._home, "worker")
        stack.kill(self._home, "sagemaker")
        stack.stop(self._home, "aws")
        for part in ("aws", "sagemaker", "worker"):
            stack.start_again(self._home, part)
        self._eventually(self._ledger.open)

    def _wait_for_ends(self) -> None:
        ended, since = -1, time.monotonic()
        while (now := len(self._open())) > 0:
            if now != ended:
                ended, since = now, time.monotonic()
            elif time.monotonic() - since > self._plan.standstill:
                self._say(f"{now} jobs do not end")
                self._report.lost = sorted(self._open())
                return
            self._stop.wait(0.5)
            if time.monotonic() - since > self._plan.sweep_every:
                # Ends written just before a restart are in no stream.
                self._eventually(self._ledger.scan)

    def _open(self) -> set[str]:
        with self._lock:
            return set(self._accepted.values()) - self._deleted - self._ledger.ended()

    def _come_to_rest(self) -> None:
        """No more faults; wait for all that is on its way, then let the sweeper see everything as old."""
        self._eventually(self._stage.knobs)
        deadline = time.monotonic() + self._plan.standstill
        while self._eventually(self._stage.on_its_way) and time.monotonic() < deadline:
            time.sleep(0.5)
        self._say("nothing is on its way any more; hours pass for the sweeper")
        self._eventually(self._ledger.read)
        settings = {f"DARKROOM_{name}": value for name, value in PUT_FORWARD.items()}
        self._stage.set_environment("sweeper", self._stage.environment("sweeper") | settings)
        # The sweeper is a function with this machine's clock, which nobody can turn.
        time.sleep(FORGOTTEN_SECONDS)
        for _ in range(3):
            if failed := self._stage.sweep():
                self._say(f"the sweeper failed: {failed}")

    def _count(self, dead: Counter[str]) -> None:
        report, accepted = self._report, set(self._accepted.values())
        self._ledger.read()
        rows = self._ledger.scan()
        report.accepted = len(accepted)
        report.deleted = len(self._deleted)
        report.doubled += sorted((self._ledger.written | set(rows)) - accepted)
        for row in rows.values():
            report.ends[row["status"]["S"]] += 1
        settled = {job_id for job_id, row in rows.items() if from_item(row).line.settled}
        # An end that only came because hours passed all at once is none.
        report.lost = sorted({*report.lost, *(accepted - self._deleted - settled)})
        report.ended_twice = sorted(self._ledger.twice())
        report.bases = self._ledger.bases()
        report.orphans = sorted(
            orphans(rows, self._stage.objects("jobs/") + self._stage.objects("failures/"), self._since)
        )
        report.dead_letters = Counter(self._stage.dead_letters()) - dead
        if last := self._ledger.last_end():
            report.last_end = datetime.fromisoformat(last).timestamp() - self._began

    def _eventually(self, call: Callable[[], T]) -> T:
        deadline = time.monotonic() + self._plan.standstill
        while True:
            try:
                return call()
            except DOWN:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


_WORDS = {
    "functions": "killing processes of functions",
    "worker": "killing the worker",
    "simulator": "killing the simulator",
    "restart": "stopping MiniStack and starting it again",
}
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def orphans(rows: dict[str, dict[str, Any]], keys: list[str], since: str) -> Iterator[str]:
    """Keys under `jobs/` and `failures/` that no row accounts for, once all jobs have ended: those of jobs without a
    row, all of a cancelled job, and of the others all but the answer, the failure file and the pictures that the
    row names."""
    for key in keys:
        found = _ID.search(key)
        if not found or found.group() <= since:
            continue
        row = rows.get(found.group())
        if row is None:
            yield key
            continue
        job = from_item(row)
        named = {*answer_keys(job.line.id), *(image.key for image in job.images)}
        own = key.startswith("failures/") and (job.failure_location or "").endswith(f"/{key}")
        if job.line.status == "cancelled" or not (key in named or own):
            yield f"{key} ({job.line.status})"


def table(report: Report) -> Table:
    """The report for a person."""
    shown = Table("what", "how many", title="chaos")
    shown.add_row("jobs in", str(report.accepted))
    for status, count in sorted(report.ends.items()):
        shown.add_row(f"ended as {status}", str(count))
    shown.add_row("deleted while they ran, or after", str(report.deleted))
    shown.add_row("ends rest on", _listed(report.bases))
    shown.add_row("broken", _listed(report.broken_parts))
    shown.add_row("requests sent again after", _listed(report.tried_again))
    shown.add_row("rounds of the sweeper", f"{report.sweeps}, {report.failed_sweeps} of them failed")
    for name, found in report.broken().items():
        shown.add_row(f"{name} (must be 0)", str(len(found)), style="red" if found else None)
    shown.add_row("dead letters", _listed(report.dead_letters))
    last = "none" if report.last_end is None else f"{report.last_end:.1f} s"
    shown.add_row("time to the last end", last)
    shown.add_row("time in all", f"{report.seconds:.1f} s")
    return shown


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "0"


def main(arguments: list[str]) -> int:
    """Print the table; 1 when something is not 0 that must be."""
    parser = argparse.ArgumentParser("bench.chaos")
    parser.add_argument("--jobs", type=int, default=ChaosPlan.jobs)
    parser.add_argument("--breaks", type=int, default=ChaosPlan.breaks, help="how often each part is killed")
    parser.add_argument("--seed", type=int, default=ChaosPlan.seed)
    parser.add_argument("--home", type=Path, help="the folder of a stack to use and to leave running")
    given = parser.parse_args(arguments)
    console = Console(highlight=False, width=120)
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {text}", markup=False)

    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    plan = ChaosPlan(jobs=given.jobs, breaks=given.breaks, seed=given.seed)
    with TemporaryDirectory(prefix="darkroom-chaos-") as temporary:
        home = Home(given.home or Path(temporary))
        try:
            report = Chaos(home, stack.up(home, say), plan, say).run()
        except StackError as error:
            console.print(f"the stack did not come up: {error}", markup=False, style="red")
            return 1
        finally:
            if not given.home:
                stack.down(home)
    console.print(table(report))
    for name, found in report.broken().items():
        for one in found[:20]:
            console.print(f"{name}: {one}", markup=False)
    return 0 if report.holds() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
