"""Names that both sides of a sandbox agree on.

Takes: nothing. Gives: paths and one variable. Does not know: what lies there.
"""

from __future__ import annotations

SYSTEM_PATHS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
HOME = "/tmp/home"
BWRAP_INSIDE = "/run/cra/inside"
CHANNEL_VARIABLE = "CRA_CHANNEL_FD"
