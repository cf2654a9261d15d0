"""Who does the work: one room per engine or vendor, found through the entry-point group `vpgen.backends`."""
