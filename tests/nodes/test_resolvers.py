"""Whom gears ask for names."""

from windlass.nodes.local.resolvers import resolvers

STUB = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.org\n"
REAL = "# systemd's\nnameserver 192.0.2.7\nnameserver fe80::1\nsearch example.org\n"


def test_what_a_gear_can_reach_is_kept() -> None:
    assert resolvers([REAL, STUB]) == "# systemd's\nnameserver 192.0.2.7\nsearch example.org\n"


def test_a_resolver_on_the_loopback_is_passed_over() -> None:
    assert "192.0.2.7" in resolvers([STUB, REAL])
    assert "127.0.0.53" not in resolvers([STUB, REAL])


def test_a_machine_without_any_has_none() -> None:
    assert resolvers([STUB]) == ""
    assert resolvers([]) == ""
