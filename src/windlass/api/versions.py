"""Which version of the API a client asks for."""

from windlass.api.problems import Problem

VERSIONS = ("2.0",)


def check_version(accept: str) -> None:
    """Problem 406, with the versions there are, if every wish names another one."""
    wishes = [wish for wish in accept.split(",") if wish.strip()]
    versions = [version_of(wish) for wish in wishes]
    if versions and not any(one is None or one in VERSIONS for one in versions):
        there = ", ".join(VERSIONS)
        raise Problem(
            406,
            f"there is no version {versions[0]} of this API; there is {there}",
            more={"api_versions": list(VERSIONS)},
        )


def version_of(wish: str) -> str | None:
    """The version that one media range names, if it names one."""
    for parameter in wish.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "version":
            return value.strip().strip('"')[:16]
    return None
