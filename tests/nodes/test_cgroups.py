"""Which control groups a machine has, and what is written into them."""

import os
from pathlib import Path

from windlass.model.sizes import LARGE, SMALL
from windlass.nodes.local.cgroups import Cgroups, Trees, find, limits

ONE = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw shared:3 - cgroup cgroup rw,memory\n"
    "39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)


def test_version_one_has_a_tree_for_each_controller() -> None:
    found = find(ONE)
    assert found is not None and found.version == 1
    assert found.roots["cpu"] == Path("/sys/fs/cgroup/cpu,cpuacct")
    assert found.folders("x") == [found.roots[one] / "x" for one in found.roots]


def test_version_two_has_one(tmp_path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    found = find(f"30 23 0:26 / {tmp_path} rw - cgroup2 cgroup2 rw,nsdelegate\n")
    assert found == Trees(2, dict.fromkeys(("cpu", "memory", "pids"), tmp_path))
    assert found.folders("x") == [tmp_path / "x"]


def test_a_machine_that_lacks_one_has_none() -> None:
    assert find("") is None
    assert find("\n".join(ONE.splitlines()[1:])) is None
    assert find("22 1 0:1 / /proc rw,nosuid - proc proc rw\n") is None


def test_the_group_that_a_process_is_in() -> None:
    one, two = find(ONE), Trees(2, dict.fromkeys(("cpu", "memory", "pids"), Path("/cg")))
    assert one is not None
    told = "9:name=systemd:/\n4:memory:/a/b\n1:cpu,cpuacct:/c\n0::/u\n"
    assert one.own(told) == Path("/sys/fs/cgroup/memory/a/b/cgroup.procs")
    assert two.own("0::/system.slice/w.service\n") == Path(
        "/cg/system.slice/w.service/cgroup.procs"
    )
    assert two.own("0::/../x\n") is None
    assert one.own("0::/\n") is None


def test_who_expects_somebody_enters_the_group_that_he_is_in(tmp_path, monkeypatch) -> None:
    (tmp_path / "own").write_text("4:memory:/a/b\n")
    door = tmp_path / "memory" / "a" / "b" / "cgroup.procs"
    door.parent.mkdir(parents=True)
    monkeypatch.setattr("windlass.nodes.local.cgroups.OWN", tmp_path / "own")
    roots = {one: tmp_path / one for one in ("cpu", "memory", "pids")}
    Cgroups(Trees(1, roots), "windlass-test").expect()
    assert door.read_text() == str(os.getpid())
    door.unlink()
    door.parent.rmdir()
    Cgroups(Trees(1, roots), "windlass-test").expect()  # what is not there is no trouble


def test_the_limits_of_a_size() -> None:
    two = {file: value for _, file, value in limits(SMALL, 2)}
    assert two["memory.max"] == str(512 << 20)
    assert two["cpu.max"] == "200000 100000"
    assert (two["pids.max"], two["memory.swap.max"]) == ("250", "0")
    one = {file: value for _, file, value in limits(LARGE, 1)}
    assert one["memory.limit_in_bytes"] == str(2 << 30)
    assert (one["cpu.cfs_quota_us"], one["cpu.shares"]) == ("400000", "512")
