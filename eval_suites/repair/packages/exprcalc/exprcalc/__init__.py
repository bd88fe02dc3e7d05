"""Formulas with names and functions: parse, evaluate, simplify, print."""
