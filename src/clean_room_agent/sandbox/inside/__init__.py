"""What runs between `cra` and the sandboxed program: standard library only, no site, no venv.

Takes: a plan (a marshalled dict, see `plan.py`) on an inherited descriptor. Gives: a process in
namespaces of its own, and a report on another descriptor. Does not know: tasks, tests, models.
`launcher.py` is the script; its siblings are imported by it without importing the package.
"""
