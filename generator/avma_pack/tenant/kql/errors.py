"""What is wrong with a query."""

from __future__ import annotations


class QueryError(Exception):
    """A query that cannot be run; the message names what is wrong. Lines and columns count from 1, 0 is unknown."""

    def __init__(self, message: str, *, token: str = "", line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.token = token
        self.line = line
        self.column = column
