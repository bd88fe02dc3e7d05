"""Scripts that run inside the sandbox, under the interpreter of the repository under test.

Takes: a first frame on the channel with these sources and their configuration. Gives: signed
frames. Does not know: `clean_room_agent`; only the standard library and pytest, Python 3.8 or
newer. They reach the sandbox as text through the channel, never as files, so that the code under
test can neither read their key nor change them on disk.
"""
