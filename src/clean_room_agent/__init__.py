"""The Clean Room Agent: a local coding agent that explains every byte it used."""

__version__ = "0.1.0"
