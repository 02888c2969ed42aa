"""Secrets and personal data stay out of the file: they are replaced before bytes are written (docs/redaction.md)."""

from replay.cassette.redact.messages import Redactor
from replay.cassette.redact.rules import Rules

__all__ = ["Redactor", "Rules"]
