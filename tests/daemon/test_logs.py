"""The daemon's log, and what becomes of work that is done without a reader of it."""

import subprocess
import sys

PROGRAM = """
import logging, structlog
from windlass.daemon.logs import start_logging
start_logging("router")
input()
for _ in range(3):
    structlog.get_logger().warning("instance.left_out")
    logging.getLogger("aiohttp").error("trouble")
print("done")
"""


def run(read: bool) -> tuple[str, str]:
    """What the program says, and what it logs if that is read."""
    argv = [sys.executable, "-c", PROGRAM]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as program:
        if read:
            return program.communicate("\n")
        assert program.stderr
        program.stderr.close()
        program.stderr = None
        return program.communicate("\n")


def test_lines_name_the_process_and_what_happened():
    said, logged = run(read=True)
    assert said == "done\n"
    lines = logged.splitlines()
    assert len(lines) == 6
    assert all("process=router" in line for line in lines)
    assert "event=instance.left_out" in lines[0]
    assert "event=trouble" in lines[1]


def test_work_goes_on_when_nobody_reads_the_log():
    assert run(read=False)[0] == "done\n"
