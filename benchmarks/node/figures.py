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
]
