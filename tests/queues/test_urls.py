"""What a queue's URL may say, and what becomes of the passwords in it."""

import pytest
from redis.asyncio import SSLConnection

from windlass.errors import Refused
from windlass.plugins import backend
from windlass.queues.beanstalkd import BeanstalkdQueue, addresses
from windlass.queues.redis import RedisQueue, client_of, name_of


@pytest.mark.parametrize(
    ("url", "places"),
    [
        ("beanstalkd://one", [("one", 11300)]),
        ("beanstalkd://one:1/", [("one", 1)]),
        ("beanstalkd://one:1,two,10.0.0.3:3", [("one", 1), ("two", 11300), ("10.0.0.3", 3)]),
        ("beanstalkd://[::1]:5,[fe80::2]", [("::1", 5), ("fe80::2", 11300)]),
    ],
)
def test_servers_are_listed(url: str, places: list[tuple[str, int]]) -> None:
    assert addresses(url) == places


@pytest.mark.parametrize("rest", ["", "//", "//one:", "//one:x", "//one:65536", "//a,,b", "//a@b"])
def test_what_is_no_server_is_refused(rest: str) -> None:
    with pytest.raises(Refused, match="HOST:PORT"):
        BeanstalkdQueue(f"beanstalkd:{rest}")


def test_every_scheme_finds_its_queue() -> None:
    for scheme, kind in [
        ("beanstalkd", BeanstalkdQueue),
        ("redis", RedisQueue),
        ("rediss", RedisQueue),
    ]:
        assert backend("windlass.queues", f"{scheme}://somewhere") is kind


def test_tls_is_spoken_where_it_is_asked_for() -> None:
    client = client_of("rediss://:hush@somewhere:7/2")
    assert client.connection_pool.connection_class is SSLConnection
    assert client.connection_pool.connection_kwargs["password"] == "hush"
    assert name_of(client) == "Redis at somewhere:7"


@pytest.mark.parametrize("url", ["redis://:hu/sh@somewhere", "redis://:hush@somewhere:port"])
def test_a_password_is_not_in_the_refusal(url: str) -> None:
    with pytest.raises(Refused) as refused:
        client_of(url)
    assert "sh" not in str(refused.value).replace("redis://[:PASSWORD@]HOST", "")
    assert refused.value.__suppress_context__
