"""What an option is: a field with its default, what it is for, and what a value must be like."""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import attrs

T = TypeVar("T")
MOST_WORKERS: Final = 256


class ConfigError(Exception):
    """The configuration cannot be used: `problems` has a line for each thing that is wrong, with the option's path."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Wrong(ValueError):
    """A check of `option` failed."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.name = name


def option(default: T, doc: str, *checks: Callable[[Any], str | None]) -> T:
    """A field: its default, what it is for (one sentence), and checks that return what is wrong with a value."""

    def validate(instance: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        for check in checks:
            if problem := check(value):
                raise Wrong(attribute.name, problem)

    return attrs.field(default=default, metadata={"doc": doc}, validator=validate)


def at_least(least: float) -> Callable[[Any], str | None]:
    """Check that a number is not smaller."""
    return lambda value: None if value >= least else f"must be at least {least}"


def one_of(*words: str) -> Callable[[Any], str | None]:
    """Check that a text is one of a few words."""
    return lambda value: None if value in words else f"must be one of {', '.join(words)}"


def all_of(*words: str) -> Callable[[Any], str | None]:
    """Check that a list has only some words in it."""
    return lambda values: None if set(values) <= set(words) else f"may hold {', '.join(words)}"


def prefix(value: str) -> str | None:
    """Check that a text is a path that begins and ends with a slash and needs no escaping."""
    if re.fullmatch(r"/([A-Za-z0-9._~-]+/)*", value):
        return None
    return 'must begin and end with "/" and hold only letters, digits and ._~- between'


def prefix_or_empty(value: str) -> str | None:
    """The same, or nothing."""
    return prefix(value) if value else None


def not_empty(value: Any) -> str | None:
    """Check that there is something."""
    return None if value else "must not be empty"


def workers(value: int | str) -> str | None:
    """Check that there is a number of processes, or the word that stands for one."""
    good = value == "auto" if isinstance(value, str) else 1 <= value <= MOST_WORKERS
    return None if good else f'must be a number from 1 to {MOST_WORKERS}, or "auto"'


def domain_names(values: Any) -> str | None:
    """Check that the keys of a table are names of domains in lower case."""
    wrong = [each for each in values if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", each)]
    return f"{wrong[0]} is not the name of a domain" if wrong else None


def mail_address_or_empty(value: str) -> str | None:
    """Check that a text is a plain mail address with room for a detail after a plus sign, or nothing."""
    if not value or re.fullmatch(r"[A-Za-z0-9._-]{1,20}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", value):
        return None
    return "must be a mail address with at most 20 letters, digits and ._- before the @"
