"""Everything that is measured of the node, by name; a figure is made of these."""

from functools import partial

from benchmarks.node import gears, traffic
from benchmarks.node.figures import FIGURES
from benchmarks.readings import Measurement, Suite

ALL = [
    Measurement("router.get", "req/s", partial(traffic.through, proxy="router", method="GET")),
    Measurement("bare.get", "req/s", partial(traffic.through, proxy="bare", method="GET")),
    Measurement("router.post", "req/s", partial(traffic.through, proxy="router", method="POST")),
    Measurement("bare.post", "req/s", partial(traffic.through, proxy="bare", method="POST")),
    Measurement("router.sick", "connects", traffic.sick),
    Measurement("create", "s", gears.create),
    Measurement("byhand", "s", gears.by_hand),
    Measurement("hundred", "MiB", gears.hundred, once=True),
]

NODE = Suite("node", FIGURES, ALL)
