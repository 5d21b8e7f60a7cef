import io
import os
import tarfile

import pytest

from windlass.cli.packing import pack


@pytest.fixture
def tree(tmp_path):
    files = {
        ".gitignore": "*.log\n/build/\n!keep.log\n",
        ".git/config": "secret",
        "app.py": "print()",
        "debug.log": "x",
        "keep.log": "x",
        "build/out": "x",
        "lib/build/in": "x",
        "lib/.gitignore": "!debug.log\nlocal\n",
        "lib/debug.log": "x",
        "lib/local": "x",
        "vendored/.git": "gitdir: elsewhere",
        "vendored/code.py": "x",
        "ünï": "x",
    }
    folder = tmp_path / "tree"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def packed(folder):
    out = io.BytesIO()
    result = pack(folder, out)
    return result, out.getvalue()


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        return {info.name: info for info in tar}


def test_git_and_what_gitignore_names_stays_out(tree):
    result, data = packed(tree)
    names = [name for name, info in members(data).items() if info.isfile()]
    assert names == [
        ".gitignore",
        "app.py",
        "keep.log",
        "lib/.gitignore",
        "lib/build/in",
        "lib/debug.log",
        "vendored/code.py",
        "ünï",
    ]
    assert result.files == len(names)


def test_the_same_files_make_the_same_bytes(tree):
    first = packed(tree)[1]
    os.utime(tree / "lib")
    again = packed(tree)[1]
    assert [(i.name, i.uid, i.uname) for i in members(first).values()] == [
        (i.name, 0, "") for i in members(again).values()
    ]
    assert packed(tree)[1] == again


def test_links_inside_are_kept_and_those_that_lead_out_are_named(tree, tmp_path):
    (tree / "inside").symlink_to("lib")
    (tree / "dangling").symlink_to("not-yet")
    (tree / "outside").symlink_to("../elsewhere")
    (tree / "absolute").symlink_to(tree / "app.py")
    (tree / "circle").symlink_to("circle")
    result, data = packed(tree)
    assert result.left_out == ("absolute", "circle", "outside")
    assert members(data)["inside"].issym()
    assert members(data)["inside"].linkname == "lib"
    assert "dangling" in members(data)
    assert "inside/debug.log" not in members(data)


def test_programs_stay_programs_and_pipes_stay_here(tree):
    (tree / "app.py").chmod(0o700)
    os.mkfifo(tree / "pipe")
    os.link(tree / "app.py", tree / "zweimal.py")
    found = members(packed(tree)[1])
    assert found["app.py"].mode == 0o755
    assert found["keep.log"].mode == 0o644
    assert found["zweimal.py"].isreg()
    assert found["zweimal.py"].size == len("print()")
    assert "pipe" not in found
