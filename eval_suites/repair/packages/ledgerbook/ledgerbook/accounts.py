"""Account names, their kinds, and the chart that knows them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

SEPARATOR = ":"


class UnknownAccountError(KeyError):
    """The chart has no account of that name."""


class Kind(Enum):
    """The five kinds of account."""

    ASSET = "assets"
    LIABILITY = "liabilities"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expenses"

    @property
    def debit_normal(self) -> bool:
        """Whether a positive posting makes an account of this kind grow."""
        return self in (Kind.ASSET, Kind.EXPENSE)


@dataclass(frozen=True)
class Account:
    """One account, named by a colon-separated path such as ``assets:bank``."""

    name: str
    kind: Kind
    closed: bool = False

    @property
    def depth(self) -> int:
        """How many levels the name has."""
        return self.name.count(SEPARATOR) + 1


def kind_of(name: str) -> Kind:
    """The kind that an account's first path segment declares."""
    return Kind(name.split(SEPARATOR)[0])


def is_within(name: str, ancestor: str) -> bool:
    """Whether an account is the ancestor itself or lies below it."""
    return name == ancestor or name.startswith(ancestor + SEPARATOR)


class Chart:
    """The set of accounts that entries may use."""

    def __init__(self, names: list[str] | None = None) -> None:
        self._accounts: dict[str, Account] = {}
        for name in names or []:
            self.open(name)

    def open(self, name: str) -> Account:
        """Add an account, or return the one that is already there."""
        if name not in self._accounts:
            self._accounts[name] = Account(name, kind_of(name))
        return self._accounts[name]

    def close(self, name: str) -> None:
        """Mark an account as closed; it keeps its history."""
        account = self.get(name)
        self._accounts[name] = Account(account.name, account.kind, closed=True)

    def get(self, name: str) -> Account:
        """The account of that name."""
        try:
            return self._accounts[name]
        except KeyError:
            raise UnknownAccountError(name) from None

    def below(self, ancestor: str) -> Iterator[Account]:
        """The accounts at or below a name, in name order."""
        for name in sorted(self._accounts):
            if is_within(name, ancestor):
                yield self._accounts[name]
