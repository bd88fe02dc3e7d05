"""Keeps a plain ``pytest`` at the top from collecting the packages that tasks are made of."""

collect_ignore_glob = ["repair/*"]
