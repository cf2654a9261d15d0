"""Frames and video: streaming decode, camera moves, encode, contact sheets."""
