"""Task suites that measure the agent, and the code that reads them."""
