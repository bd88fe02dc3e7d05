"""What may be neither kept nor sent: secrets, and the control tokens of models.

Takes: bytes. Gives: where they stand (`secret_spans`, `control_spans`), marks in their place
(`Redactor`, `for_prompt`), reasons to leave a whole item out (`why_withheld`).
Does not know: files, databases, prompts, or who asks.
"""

from clean_room_agent.redaction.controls import control_spans
from clean_room_agent.redaction.doors import data_for_prompt, for_prompt, run_for_prompt
from clean_room_agent.redaction.found import Found, blank
from clean_room_agent.redaction.marks import Redactor
from clean_room_agent.redaction.secrets import may_hold_secret, secret_spans, telling_words
from clean_room_agent.redaction.withheld import Unshowable, unshowable, why_withheld

__all__ = [
    "Found",
    "Redactor",
    "Unshowable",
    "blank",
    "control_spans",
    "data_for_prompt",
    "for_prompt",
    "may_hold_secret",
    "run_for_prompt",
    "secret_spans",
    "telling_words",
    "unshowable",
    "why_withheld",
]
