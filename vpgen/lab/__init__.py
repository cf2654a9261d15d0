"""Experiments: design, trials, statistics, people's votes, pictures, and the promotion of the winner."""
