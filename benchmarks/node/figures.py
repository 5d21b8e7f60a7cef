"""The figures that are asked of the node: what each is made of, what it must be and should be."""

from benchmarks.figures import Figure

FIGURES = [
    Figure(
        "router",
        "requests a second through the router, against a bare aiohttp proxy",
        ("router.get", "bare.get"),
        must=0.75,
        aim=0.90,
        unit="%",
    ),
    Figure(
        "sick",
        "failed connects that requests met at a sick gear after the first",
        ("router.sick",),
        must=0,
        aim=0,
        unit="",
        most=True,
    ),
    Figure(
        "create",
        "create to first 200, against the same server started by hand in bubblewrap",
        ("create", "byhand"),
        must=2,
        aim=1.5,
        most=True,
    ),
    Figure(
        "broker",
        "the broker's memory with 100 gears",
        ("hundred",),
        must=400,
        aim=250,
        unit="MiB",
        most=True,
    ),
    Figure(
        "routing",
        "the router's memory with 100 gears",
        ("hundred",),
        must=100,
        aim=60,
        unit="MiB",
        most=True,
        detail=":router",
    ),
]
