"""Price book, usage, and the ledger: estimate before, actual after, refused when over budget."""
