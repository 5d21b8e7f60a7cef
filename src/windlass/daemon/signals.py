"""Ctrl-C and its relatives, as something that a coroutine can wait for."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Self

WISHES = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Stop:
    """The wish to stop: `asked` at the first signal, `now` at the second."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.now = asyncio.Event()

    @classmethod
    def on_signals(cls) -> Self:
        """One that the signals to this process set."""
        stop, loop = cls(), asyncio.get_running_loop()
        for number in WISHES:
            # Who starts us with nohup does not want us to go with the terminal.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, stop.ask)
        return stop

    def ask(self) -> None:
        """Ask to stop; asking again means now."""
        (self.now if self.asked.is_set() else self.asked).set()


async def first_of(*coroutines: Coroutine[Any, Any, Any]) -> None:
    """Run these side by side until one ends; the others are cancelled, its error is raised."""
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
