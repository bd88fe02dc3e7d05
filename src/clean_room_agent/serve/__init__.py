"""The clean room for other programs: read-only tools over the Model Context Protocol."""
