"""A small run of `make chaos`, on the stack that the other tests share: the same code, fewer jobs and kills."""

from bench.chaos import Chaos, ChaosPlan
from tests.e2e.conftest import Running

PLAN = ChaosPlan(jobs=60, breaks=1, meddled=0.1, sweep_every=4.0, standstill=40.0)


def test_every_job_ends_once_whatever_breaks(darkroom: Running) -> None:
    report = Chaos(darkroom.home, darkroom.stack, PLAN, print).run()
    assert report.holds(), report.broken()
    assert report.accepted == PLAN.jobs
    assert sum(report.ends.values()) >= PLAN.jobs - report.deleted
    assert set(report.ends) <= {"succeed", "fail", "cancelled"}
    assert set(report.broken_parts) == {"functions", "worker", "simulator", "restart"}
    # Lost notices were made up for; otherwise this run has shown nothing.
    assert report.bases["s3"] > 0
