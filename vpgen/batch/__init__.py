"""Production batches: a table of requests becomes clips, with an outcome for every row."""

from vpgen.batch.books import Summary
from vpgen.batch.run import Progress, run

__all__ = ["Progress", "Summary", "run"]
