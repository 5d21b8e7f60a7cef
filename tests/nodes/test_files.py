"""Files, links and folders that are there as a whole or not at all."""

from windlass.nodes.local.files import link, read_json, whole, write_json


def test_a_value_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    for value in ({"a": 1}, ["b"]):
        for lasting in (True, False):
            write_json(tmp_path / "x.json", value, lasting=lasting)
            assert read_json(tmp_path / "x.json") == value
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_what_is_not_there_is_nothing(tmp_path):
    assert read_json(tmp_path / "x.json") is None
    (tmp_path / "x.json").touch()
    assert read_json(tmp_path / "x.json" / "y.json") is None


def test_names_of_what_is_whole(tmp_path):
    assert whole(tmp_path / "none") == []
    for name in ("a", "b", ".c.new"):
        (tmp_path / name).mkdir()
    assert sorted(whole(tmp_path)) == ["a", "b"]


def test_a_link_is_replaced_whatever_was_left_by_who_was_killed(tmp_path):
    (tmp_path / ".x.new").symlink_to("half")
    for target in ("1", "2"):
        link(tmp_path / "x", target)
        assert str((tmp_path / "x").readlink()) == target
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
