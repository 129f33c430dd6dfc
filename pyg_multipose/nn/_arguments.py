"""Checks of arguments."""

from __future__ import annotations

from typing import Any


def check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if not any(value is choice or value == choice for choice in choices):
        raise ValueError(
            f'Unknown {name}={value!r}; choose among {list(choices)}'
        )


def check_count(name: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f'{name}={value!r} is not a positive integer')
