"""Do the work at once, in the caller's thread: for tests and one-shot commands."""

from imgpipe.jobs.protocol import Backlog


class InlineJobs:
    """Run everything that is due whenever somebody is woken."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self.started = False
        self.stopping = False

    def start(self) -> None:
        """Do nothing: there is nobody to start."""

    def wake(self, lane: str) -> None:
        """Work until nothing is due in the lane."""
        while claim := self._backlog.claim(lane):
            self._backlog.run(claim)

    def ping(self) -> None:
        """Do nothing: the caller is the worker."""

    def close(self) -> None:
        """Take note only."""
        self.stopping = True
