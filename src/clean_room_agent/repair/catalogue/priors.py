"""How often each template is expected to be the right one: the catalogue's only numbers.

Takes: nothing. Gives: `PRIORS`: template -> relative frequency, in (0, 1]. Does not know: the
program at hand.

Provenance: the spike's table of planted bug types (operator, variable and value misuse lead, each
about a fifth of one-spot bugs; excess and missing logic follow) and its remark that comparisons,
off-by-one constants and expressions, variable and operator swaps and dropped operands give about
70 % of first patches; the counts of one-token bug fixes in ManySStuBs4J (Karampatsis, Sutton, MSR
2020) and PySStuBs (Kamienski et al., MSR 2021) for the order within a family. They are set by
hand to about one significant digit, before any run. One line came later: `expression-to-name` was
added after a QuixBugs program went unsolved, so figures on that set are not held out.
"""

from __future__ import annotations

PRIORS: dict[str, float] = {
    # operators
    "binary-operator-swap": 0.6,
    "drop-operand": 0.35,
    "swap-operands": 0.4,
    "regroup": 0.3,
    "boolean-operator-swap": 0.9,
    "drop-condition-part": 0.6,
    "unary-drop": 0.7,
    "unary-add": 0.1,
    "augmented-operator-swap": 0.7,
    "assign-to-augmented": 0.3,
    "scale": 0.08,
    "swap-double-operand": 0.08,
    "not-add": 0.5,
    # comparisons
    "comparison-swap": 1.0,
    "swap-sides": 0.5,
    "comparison-to-value": 0.1,
    "chain-comparison": 0.1,
    "compare-length": 0.06,
    # boundaries
    "off-by-one": 0.5,
    "drop-off-by-one": 0.9,
    "range-bounds": 0.5,
    "slice-bounds": 0.5,
    "slice-add": 0.15,
    "subscript-drop": 0.15,
    "index-edit": 0.25,
    "arithmetic-add": 0.15,
    "extend-sequence": 0.15,
    # constants
    "number-neighbour": 0.8,
    "number-far": 0.15,
    "number-from-tests": 0.05,
    "number-to-name": 0.2,
    "truth-constant": 0.7,
    "truth-to-value": 0.2,
    "empty-container": 0.25,
    "container-element": 0.3,
    "constant-everywhere": 0.06,
    # strings
    "string-literal": 0.3,
    "string-from-file": 0.25,
    "string-from-tests": 0.08,
    "string-to-name": 0.06,
    "membership-string": 0.08,
    "fstring-field": 0.25,
    "format-digits": 0.1,
    # names
    "variable-swap": 0.6,
    "attribute-swap": 0.5,
    "attribute-to-name": 0.2,
    "name-to-attribute": 0.05,
    "index-by-name": 0.08,
    "key-swap": 0.25,
    "expression-borrowed": 0.08,
    "expression-to-name": 0.1,
    "target-swap": 0.3,
    "assign-exchange": 0.3,
    "target-to-element": 0.1,
    # arguments
    "argument-swap": 0.6,
    "argument-drop": 0.2,
    "argument-add": 0.12,
    "argument-replace": 0.1,
    "keyword-value": 0.35,
    "parameter-default": 0.3,
    "mutable-default": 0.6,
    # calls
    "wrap-call": 0.12,
    "wrap-extremum": 0.12,
    "wrap-method": 0.06,
    "wrap-own-call": 0.05,
    "unwrap-call": 0.25,
    "sibling-function": 0.5,
    "sibling-own": 0.3,
    "recursion-wrap": 0.05,
    # conditions
    "condition-extend": 0.07,
    "condition-extend-simple": 0.05,
    "condition-replace": 0.08,
    "condition-replace-simple": 0.05,
    "condition-constant": 0.12,
    "condition-explicit": 0.2,
    "conditional-drop": 0.25,
    "conditional-add": 0.04,
    "bool-logic-add": 0.04,
    # returns
    "return-value": 0.1,
    "return-borrowed": 0.08,
    "return-bare-value": 0.15,
    "expression-to-return": 0.15,
    "return-at-end": 0.2,
    "early-return": 0.05,
    # control
    "jump-swap": 0.4,
    "loop-kind": 0.3,
    "branch-swap": 0.3,
    "branch-drop": 0.15,
    "else-add": 0.1,
    "loop-iterable": 0.12,
    "comprehension-condition": 0.1,
    "comprehension-kind": 0.1,
    "yield-kind": 0.4,
    "yield-return": 0.1,
    "exception-type": 0.2,
    "exchange-assignments": 0.15,
    # statements
    "statement-delete": 0.3,
    "statement-swap": 0.25,
    "statement-move": 0.1,
    "statement-out-of-block": 0.25,
    "statement-into-block": 0.15,
    "block-unwrap": 0.2,
    "statement-repeat": 0.1,
    "statement-guard": 0.05,
    "body-guard": 0.03,
    # insertions
    "insert-borrowed": 0.08,
    "insert-container-update": 0.08,
    "insert-step": 0.05,
    "insert-normalise": 0.04,
    "insert-jump": 0.05,
}
