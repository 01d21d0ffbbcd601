"""Errors of the test data centre."""

from __future__ import annotations


class RpcError(Exception):
    """What a request is answered with instead of a result: a code such as 400 and a name such as
    CHANNEL_PRIVATE (https://core.telegram.org/api/errors)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message


class ScenarioError(Exception):
    """A scenario file that cannot be used; the text says what is wrong, where, and what to do."""
