"""One module per verb: load the configuration, open the stores, call the rooms, print."""
