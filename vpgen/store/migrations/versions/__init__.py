"""The scripts, one per change of the schema, oldest first."""
