"""Jobs are served in the order in which they came."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from worker.errors import JobError
from worker.turns import Turns


def test_whoever_came_first_is_served_first_also_when_several_turns_are_free_at_once() -> None:
    turns, served, order = Turns(2, threading.Event()), threading.Event(), list[int]()
    waiting = [threading.Event() for _ in range(6)]

    def serve(number: int) -> None:
        with turns.turn(waiting[number].set):
            order.append(number)
            served.wait(60)

    with ThreadPoolExecutor(6) as jobs:
        running = [jobs.submit(serve, 0), jobs.submit(serve, 1)]
        for number in range(2, 6):
            running.append(jobs.submit(serve, number))
            # The next one comes when this one stands in line.
            assert waiting[number].wait(60)
        served.set()
        for job in running:
            job.result(60)
    assert sorted(order[:2]) == [0, 1]
    assert sorted(order[2:4]) == [2, 3]


def test_one_that_gives_up_leaves_its_place_to_the_next() -> None:
    turns, stands = Turns(1, threading.Event()), threading.Event()
    given_up = threading.Event()

    def look() -> None:
        stands.set()
        if given_up.is_set():
            raise JobError("cancelled", "The job was cancelled.")

    def gives_up() -> None:
        with turns.turn(look):
            raise AssertionError("it was never its turn")

    def waits() -> str:
        with turns.turn(lambda: None):
            return "served"

    with ThreadPoolExecutor(2) as jobs:
        with turns.turn(lambda: None):
            first = jobs.submit(gives_up)
            assert stands.wait(60)
            second = jobs.submit(waits)
            given_up.set()
            with pytest.raises(JobError, match="cancelled"):
                first.result(60)
        assert second.result(60) == "served"


def test_nobody_begins_once_the_process_closes_and_who_waits_hears_of_it() -> None:
    closing = threading.Event()
    turns = Turns(1, closing)
    with turns.turn(lambda: None), pytest.raises(JobError, match="worker_stopped"), turns.turn(closing.set):
        pass
    with pytest.raises(JobError, match="worker_stopped"), turns.turn(lambda: None):
        pass
