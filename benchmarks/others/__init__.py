"""The other engines, one a file: how each is filled, how one worker works, what it has finished.

Each file is run by itself (`python -m benchmarks.others.NAME fill COUNT` or `drain ...`), with
BENCH_URL naming its store.
"""
