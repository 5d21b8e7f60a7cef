"""What a gear may try against its neighbours and its host; each is a program that runs inside.

They print what they have managed as JSON, the last line of a build's log.
"""

# Reads what is nobody's business, signals whom it can, and connects wherever it is told to.
SPY = """
import json, os, pathlib, socket, sys

told = json.loads(pathlib.Path("targets.json").read_text())
won = {"read": [], "signalled": [], "reached": [], "taken": []}

def manages(kind, what, attempt):
    try:
        attempt()
        won[kind].append(what)
    except OSError:
        pass

for path in told["paths"]:
    manages("read", path, lambda: os.listdir(path) if os.path.isdir(path) else open(path).read(1))
mine = {int(one) for one in os.listdir("/proc") if one.isdecimal()}
for pid in mine:
    said = open(f"/proc/{pid}/cmdline").read()
    won["read"] += [f"/proc/{pid}" for mark in told["marks"] if mark in said]
for pid in told["pids"]:
    if pid not in mine:
        manages("signalled", pid, lambda: os.kill(pid, 0))
for host, port in told["addresses"]:
    manages("reached", [host, port], lambda: socket.create_connection((host, port), 0.4).close())
for name in told["abstract"]:
    manages("reached", name, lambda: socket.socket(socket.AF_UNIX).connect("\\0" + name))

def bind(host, port):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((host, port))

for host, port in told["places"]:
    manages("taken", [host, port], lambda: bind(host, port))
manages("taken", "packets", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3))
manages("taken", "raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
for change in told["changes"]:
    if os.system(change + " >/dev/null 2>&1") == 0:
        won["taken"].append(change)
print(json.dumps(won))
"""

FORK_BOMB = """
import os, time
end = time.monotonic() + 600
while time.monotonic() < end:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
"""

HOARD = """
import os, sys
hoard = []
while True:
    hoard.append(bytearray(os.urandom(1 << 20)) * 16)
"""

# Says how much of its disk it has got, in MiB.
FILL = """
import json, os
size, path = 0, os.environ["HOME"] + "/data/fill"
try:
    with open(path, "wb", buffering=0) as file:
        while size < 5 << 10:
            size += file.write(b"x" * (1 << 20)) >> 20
except OSError as error:
    print(json.dumps([size, error.errno]))
"""

BURN = """
import os
for _ in range(7):
    if os.fork() == 0:
        break
while True:
    pass
"""
