"""Our engine, as anybody may use it: operations of our own, `submit`, and the shipped worker.

Run by a Python that has windlass (`python -m benchmarks.ours COMMAND ...`), with BENCH_URL naming
the datastore and BENCH_QUEUE the queue. Nothing here knows the tables.
"""
