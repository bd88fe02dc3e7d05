"""`python -m clean_room_agent` is `cra`.

`python -m` puts the current directory in front of the module path, and that is often a repository
nobody has looked at: a `signal.py` there would run as ours. So it is taken out before any import.
"""

import sys

if sys.path and not sys.flags.safe_path:
    del sys.path[0]

from clean_room_agent.cli import main

if __name__ == "__main__":
    main()
