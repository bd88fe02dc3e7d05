"""The catalogue of fix templates, one module per family.

Takes: `Site`s. Gives: `CATALOGUE`, every template once, and `PRIORS`. Does not know: the order in
which sites are tried. A new template goes into its family's `FAMILY` and gets a line in
`priors.py`; a test fails on one without the other.
"""

from clean_room_agent.repair.catalogue import (
    arguments,
    boundaries,
    calls,
    comparisons,
    conditions,
    constants,
    control,
    insertions,
    names,
    operators,
    returns,
    statements,
    strings,
)
from clean_room_agent.repair.catalogue.priors import PRIORS
from clean_room_agent.repair.catalogue.template import Draft, Site, Template

FAMILIES: dict[str, tuple[Template, ...]] = {
    "operators": operators.FAMILY,
    "comparisons": comparisons.FAMILY,
    "boundaries": boundaries.FAMILY,
    "constants": constants.FAMILY,
    "strings": strings.FAMILY,
    "names": names.FAMILY,
    "arguments": arguments.FAMILY,
    "calls": calls.FAMILY,
    "conditions": conditions.FAMILY,
    "returns": returns.FAMILY,
    "control": control.FAMILY,
    "statements": statements.FAMILY,
    "insertions": insertions.FAMILY,
}
CATALOGUE: tuple[Template, ...] = tuple(t for family in FAMILIES.values() for t in family)

__all__ = ["CATALOGUE", "FAMILIES", "PRIORS", "Draft", "Site", "Template"]
