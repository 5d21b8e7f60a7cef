"""Metrics, as Prometheus reads them: what is there is counted when somebody asks."""

from collections.abc import Iterable

from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from windlass.api.answers import FRESH
from windlass.api.auth import PLAIN
from windlass.api.health import answered, heard
from windlass.api.requests import Asked
from windlass.engine.job import Phase
from windlass.engine.known import known
from windlass.engine.operation import Operation
from windlass.errors import Denied
from windlass.store.census import Tally
from windlass.store.counters import BURIED, FAILING

SHOWN = [phase for phase in Phase if not phase.ended or phase is Phase.BURIED]


@get("/metrics", opt=PLAIN, media_type=CONTENT_TYPE_LATEST)
async def metrics(request: Asked) -> Response[bytes]:
    """The metrics, for operators."""
    if not request.caller.user.admin:
        raise Denied("only operators may read the metrics")
    tally = await request.front.broker.store.census.take()
    queue = await answered(heard(request)) is not None
    families = [*gauges(tally), queue_up(queue), *totals(tally)]
    return Response(written(families), media_type=CONTENT_TYPE_LATEST, headers=FRESH)


def gauges(tally: Tally) -> Iterable[Metric]:
    """What is there now; nothing is told as zero, so that an alert knows it from silence."""
    jobs = GaugeMetricFamily(
        "windlass_jobs", "Jobs that have not ended, and buried ones.", labels=("tube", "phase")
    )
    oldest = GaugeMetricFamily(
        "windlass_oldest_ready_job_seconds",
        "Since when the oldest job that a worker could take has been asked for.",
        labels=("tube",),
    )
    for tube in sorted(tally.tubes | {tube for tube, _ in tally.jobs}):
        for phase in SHOWN:
            jobs.add_metric((tube, phase), tally.jobs.get((tube, phase), 0))
        oldest.add_metric((tube,), tally.ages.get(tube, 0))
    return (
        jobs,
        oldest,
        GaugeMetricFamily("windlass_workers", "Worker processes.", tally.workers),
        GaugeMetricFamily("windlass_slots", "Jobs that they can run at once.", tally.slots),
    )


def queue_up(answers: bool) -> Metric:
    """Whether the queue answers; the datastore does, or there would be no metrics."""
    return GaugeMetricFamily("windlass_queue_up", "Whether the queue answers.", int(answers))


def totals(tally: Tally) -> Iterable[Metric]:
    """What has happened how often, by kind of operation; those that we know begin at zero."""
    ours = {operation.kind for operation in known(Operation)}
    for name, sentence in (
        (BURIED, "Jobs that were set aside for an operator."),
        (FAILING, "Times that an operation has failed on a target for the third time in a day."),
    ):
        counter = CounterMetricFamily(f"windlass_jobs_{name}", sentence, labels=("operation",))
        counts = {kind: times for (of, kind), times in tally.counters.items() if of == name}
        for kind in sorted(ours | set(counts)):
            counter.add_metric((kind,), counts.get(kind, 0))
        yield counter


class Told(Collector):
    """Families that were made already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        """These."""
        return self.families


def written(families: Iterable[Metric]) -> bytes:
    """Families in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(Told(families))
    return generate_latest(registry)
