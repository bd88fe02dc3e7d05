"""The corridor: walks records from room to room and appends each of them to the log."""
