"""Errors that a user meets: each says what happened, where, and what to do, with a slug that leads to `docs/errors.md`.

`ReplayError` is the family; only its members are raised. None of them is shown as a traceback by the command line.
"""

from __future__ import annotations

from typing import ClassVar


class ReplayError(Exception):
    """Base of all errors of this product; never raised itself.

    Attributes:
        slug: a stable name, the anchor in `docs/errors.md`.
        exit_code: what the command line exits with (125 cannot judge, 129 wrong usage, 1 different).

    Example:
        >>> str(CassetteMissing("no such cassette: x.cassette", hint="`replay ls` lists what there is"))
        'no such cassette: x.cassette (`replay ls` lists what there is) [cassette-missing]'
    """

    slug: ClassVar[str] = "replay-error"
    exit_code: ClassVar[int] = 125

    def __init__(self, what: str, *, hint: str = "") -> None:
        if type(self) is ReplayError:
            raise TypeError("raise a member of the family, not ReplayError itself")
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        remedy = f" ({self.hint})" if self.hint else ""
        return f"{self.what}{remedy} [{self.slug}]"


class UsageError(ReplayError):
    """The caller asked for something that makes no sense."""

    slug = "usage"
    exit_code = 129


class ExpressionInvalid(UsageError):
    """The text of an expectation can't be read (docs/expressions.md).

    Attributes:
        text, column: it, and where the trouble begins, from 0.
    """

    slug = "expression-invalid"

    def __init__(self, what: str, text: str, column: int, *, hint: str = "") -> None:
        super().__init__(f"column {column + 1}: {what}", hint=hint)
        self.text = text
        self.column = column

    @property
    def excerpt(self) -> tuple[str, str]:
        """The text around that place on one line, and a caret that points at it."""
        begin = max(0, self.column - 60)
        shown = "".join(char if char.isprintable() else " " for char in self.text[begin : self.column + 40])
        return shown, " " * (self.column - begin) + "^"


class QueryInvalid(UsageError):
    """There is no such query, or its parameters aren't what it takes (docs/queries.md)."""

    slug = "query-invalid"


class CassetteMissing(ReplayError):
    """There is no file at that path, or no cassette of that name."""

    slug = "cassette-missing"


class CassetteExists(ReplayError):
    """A recording would have overwritten an existing file."""

    slug = "cassette-exists"


class CassetteUnreadable(ReplayError):
    """The file can't be opened or isn't a regular file (permissions, a directory, an I/O error)."""

    slug = "cassette-unreadable"


class CassetteEmpty(ReplayError):
    """The file has no bytes: a recording died before its header was written, or the file was truncated to nothing."""

    slug = "cassette-empty"


class CassetteForeign(ReplayError):
    """The file is something else."""

    slug = "cassette-foreign"


class CassetteNewer(ReplayError):
    """The cassette was written by a later version of the format."""

    slug = "cassette-newer"


class CassetteEncrypted(ReplayError):
    """The cassette is encrypted, and no identity at hand opens it."""

    slug = "cassette-encrypted"


class CassetteDamaged(ReplayError):
    """Bytes were altered, dropped or cut. `good_events` events before the damage are readable.

    Attributes:
        offset: where in the file the damage begins, in bytes.
        good_events: how many events stand whole before it.
    """

    slug = "cassette-damaged"

    def __init__(self, what: str, *, offset: int, good_events: int, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.offset = offset
        self.good_events = good_events


class KeyUnusable(ReplayError):
    """A key file can't be read, holds no such key, or the package that works with keys isn't installed."""

    slug = "key-unusable"


class NotStorable(ReplayError):
    """A value outside the closed set of storable types.

    Attributes:
        type_name: the qualified name of the offending type.
        where: the place inside the value, such as `result['items'][3]`.
    """

    slug = "not-storable"

    def __init__(self, type_name: str, where: str = "value", *, hint: str = "") -> None:
        super().__init__(
            f"{where} is a {type_name}, which a cassette can't store",
            hint=hint or f"register one: replay.codec({type_name.rpartition('.')[2]}, encode=…, decode=…)",
        )
        self.type_name = type_name
        self.where = where


class NotReplayable(ReplayError):
    """The cassette is readable, but can't be re-executed here (nothing recorded, program missing, other platform)."""

    slug = "not-replayable"


class SeamMissing(ReplayError):
    """The recording was made with a seam of another package, and that can't be had here."""

    slug = "seam-missing"


class NotImportable(ReplayError):
    """Nothing in the file is of a kind that `replay import` knows."""

    slug = "not-importable"


class ExportFailed(ReplayError):
    """Whoever was to get what `replay export` sends isn't there, or refuses it."""

    slug = "export-failed"


class NotForkable(ReplayError):
    """The cassette can't be executed again with something changed: there is no such event, or nothing that could be."""

    slug = "not-forkable"


class NotIntervenable(ReplayError):
    """What happened can't be put to the test: it is no call, so that nobody could tell whether it happens again."""

    slug = "not-intervenable"


class InsideNotRecorded(ReplayError):
    """The bodies of tools are to be run again, and the cassette doesn't have what happened inside them."""

    slug = "inside-not-recorded"


class BeginningLost(ReplayError):
    """A flight recorder's cassette, whose beginning made room for what came later: it can be read, not executed."""

    slug = "beginning-lost"


class GitFailed(ReplayError):
    """git isn't there, or refused what was asked of it; the message is its own."""

    slug = "git-failed"


class TrialAborted(ReplayError):
    """The user's command that judges commits can't be started, or says that the search is to stop."""

    slug = "trial-aborted"


class NotRecorded(ReplayError):
    """The program ran, but nothing was recorded (another interpreter, `-I`, the package missing there)."""

    slug = "not-recorded"


class NotBisectable(ReplayError):
    """Between these two runs there is nothing to search: the expectation tells them not apart, or nothing differs."""

    slug = "not-bisectable"


class PolicyInvalid(UsageError):
    """A policy or baseline can't be read, or can't be written (docs/check.md)."""

    slug = "policy-invalid"


class LimitReached(ReplayError):
    """A re-execution took longer, or more memory, than it was allowed; it was ended."""

    slug = "limit-reached"


class RequestNotRecorded(ReplayError):
    """A test asked what its cassette doesn't have, and nothing is recorded (docs/pytest.md)."""

    slug = "request-not-recorded"


class PortTaken(UsageError):
    """The port that a server was to listen on can't be had."""

    slug = "port-taken"
