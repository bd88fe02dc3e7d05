"""Words of ordinary English that are no sign of an item, and names that every program knows.

Takes: words. Gives: which of them say something about one repository. Does not know: the index.

A word in these lists still counts where the task writes it as code; `resolve` looks it up then.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Set

from clean_room_agent.records.spelling import one_line

_FUNCTION_WORDS = """
a about above after again against ago all almost already also although always am an and another
any anyone anything are aren as at away be became because been before behind being below between
both but by came can cannot come could couldn did didn do does doesn doing don done down during
each either else enough especially etc even ever every everything exactly few for from further
gave get gets getting give given gives giving go goes going gone got had hadn has hasn have haven
having he hello help hence her here hers hi him his how however if in indeed instead into is isn
it its itself just keep kept kind know known least less let lets like likely little ll look looks
lot made make makes making many may maybe me mean means might mine more moreover most much must my
myself near need needed needs neither never next no nobody non nor not nothing now of off often ok
on once one ones only onto or other others otherwise ought our ours out over own per perhaps
please put quite rather re really same saw say says see seem seems seen several shall she should
shouldn since so some somehow someone something sometimes somewhat soon still such sure take takes
tell than thank thanks that the their theirs them then there therefore these they thing things
think this those though through thus till to together too took toward tried tries try trying two
under unless until up upon us use used useful uses using usually ve very via want wanted wants was
wasn way we well went were weren what whatever when whenever where whereas whether which while who
whole whom whose why will with within without won would wouldn yes yet you your yours yourself
"""
_COMPLAINT_WORDS = """
bad behave behaves behavior behaviour broken bug bugs buggy correct correctly crash crashed
crashes crashing current currently expect expected expects fail failed failing fails failure fix
fixed fixes fixing happen happened happens incorrect incorrectly issue issues occur occurs ours
problem problems properly reproduce work worked working works wrong wrongly
"""
ENGLISH = frozenset(f"{_FUNCTION_WORDS} {_COMPLAINT_WORDS}".split())
_KNOWN = frozenset(dir(builtins)) | frozenset(sys.stdlib_module_names) | {"self", "cls"}


def without_english(weights: Mapping[str, float], written: Set[str]) -> dict[str, float]:
    """The terms that are not plain English, or that the task writes as code (`written`)."""
    return {
        term: weight for term, weight in weights.items() if term not in ENGLISH or term in written
    }


def is_common_name(name: str) -> bool:
    """Whether a name, or what it is an attribute of, belongs to the language."""
    return name.split(".", 1)[0] in _KNOWN


def bounded(text: str, most: int) -> str:
    """The text in one line; a longer one says how many characters are not shown."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[:most]} [+{len(line) - most:,} characters]"
