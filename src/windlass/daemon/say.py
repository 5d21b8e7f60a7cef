"""What the operator reads: sentences on stdout, troubles on stderr."""

import contextlib
import sys


def say(*lines: str) -> None:
    """Write lines to stdout now; who reads them may be gone."""
    try:
        print(*lines, sep="\n", flush=True)
    except BrokenPipeError:
        # What runs goes on without a reader.
        sys.stdout = None


def warn(sentence: str) -> None:
    """Write a trouble to stderr that does not keep us from going on, nor do lost readers."""
    with contextlib.suppress(BrokenPipeError):
        print(f"windlassd: {sentence}", file=sys.stderr, flush=True)
