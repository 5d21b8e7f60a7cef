"""The operator's hook hears of what needs a person."""

import json
from pathlib import Path

from windlass.engine.job import Trouble
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.hook import CommandHooks


async def test_the_command_gets_json_on_stdin(tmp_path: Path) -> None:
    heard = tmp_path / "heard file"
    hooks = CommandHooks(f"tee '{heard}'")
    lease = Lease(WorkerId("w"), JobId(42), 1)
    await hooks.on_bury(lease, "create-application", Trouble("Refused", "no, and again: no"))
    told = json.loads(heard.read_text())
    assert told["event"] == "job.buried"
    assert (told["job"], told["kind"]) == (42, "create-application")
    assert told["text"] == "no, and again: no"
