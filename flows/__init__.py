"""Prefect flows: thin functions over the package. They never decide what is computed, only show and schedule it."""
