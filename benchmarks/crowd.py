"""A hundred thousand jobs of one owner: another's single job, and the worker's memory."""

import time

from benchmarks.bench import Bench
from benchmarks.contenders import ours_finished
from benchmarks.processes import Failed, Process, until
from benchmarks.readings import Reading
from benchmarks.stores import Store
from benchmarks.trials import asked, crowd_of, lines

SLOTS = 20
SINGLES = 5  # other owners' single jobs, one after another
PATIENCE = 1200.0  # seconds for all of them


def fairness(bench: Bench) -> Reading:
    """Others' jobs that begin before another owner's single one, in multiples of the slots."""
    us, marks = crowd_of(bench), bench.folder / "crowd.marks"
    marks.touch()
    with bench.ready(us) as url, bench.worker(us, url, "--marks", str(marks)) as process:
        until(lambda: len(lines(marks)) > 10 * SLOTS, process, 60)
        accepted = asked(bench, url, "singles", "--count", str(SINGLES))
        single = {job for job, _ in accepted}
        until(lambda: single <= {job for job, _ in lines(marks)}, process, PATIENCE, 0.5)
    begun = lines(marks)
    marks.unlink()
    waited = [overtaken(begun, job, at) for job, at in accepted]
    return Reading(max(waited) / SLOTS, {"others_first": waited})


def overtaken(begun: list[tuple[int, float]], single: int, accepted: float) -> int:
    """How many jobs began after a single one was accepted, and before it."""
    mine = next(at for job, at in begun if job == single)
    return sum(accepted < at < mine for _, at in begun)


def memory(bench: Bench) -> Reading:
    """A worker's MiB after all the jobs, children included."""
    us = crowd_of(bench)
    count = bench.jobs(us)
    with bench.ready(us) as url, Store(url) as store, bench.worker(us, url) as process:
        sizes = [size_at(process, store, count * share // 10) for share in range(1, 11)]
    return Reading(sizes[-1], {"after_each_tenth": sizes, "growth": sizes[-1] / sizes[1]})


def size_at(process: Process, store: Store, finished: int) -> float:
    """MiB of a worker when so many jobs are finished."""
    deadline = time.monotonic() + PATIENCE
    while ours_finished(store, finished) < finished:
        process.check()
        if time.monotonic() > deadline:
            raise Failed("the worker does not come to the end of the jobs")
        time.sleep(0.25)
    return round(process.rss() / 2**20, 1)
