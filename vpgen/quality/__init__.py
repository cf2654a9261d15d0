"""How good a clip is: figures with a source, a direction, a range and a meaning; what cannot be measured says why."""
