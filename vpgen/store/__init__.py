"""Where things are kept: bytes by their hash, step records by their key, states and charges in SQL."""
