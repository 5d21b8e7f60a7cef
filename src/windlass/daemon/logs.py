"""The daemon's log: key=value lines on stderr, whoever writes them."""

import contextlib
import logging
import sys
from typing import Any

import structlog

SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
LINE = structlog.processors.LogfmtRenderer(
    key_order=["timestamp", "level", "process", "event"], drop_missing=True
)


class Stderr:
    """Where lines go, as long as anybody reads them: for want of a reader no work is to fail.

    The router's is a pipe to supervisord, which may be killed.
    """

    def write(self, text: str) -> None:
        """Write, or let it be."""
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        """The same."""
        with contextlib.suppress(OSError):
            sys.stderr.flush()


def start_logging(process: str) -> None:
    """Send structlog's and the standard library's lines to stderr, with the process's name."""
    structlog.contextvars.bind_contextvars(process=process)
    stderr: Any = Stderr()
    structlog.configure(
        processors=[*SHARED, structlog.processors.format_exc_info, LINE],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, LINE],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
