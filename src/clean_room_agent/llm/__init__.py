"""The only door to models: budget check, log, call, log, answer."""
