"""The one way in which an administrative act fails."""

from collections.abc import Iterator
from contextlib import contextmanager

from calserver.directory import AccountRefused, TableRefused


class Refused(Exception):
    """The act was not done, and nothing of it; each of `problems` is one sentence for people."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the directory refuses into `Refused`."""
    try:
        yield
    except TableRefused as error:
        raise Refused(*(f"line {line}: {problem}" for line, problem in error.problems)) from None
    except AccountRefused as error:
        raise Refused(str(error)) from None
