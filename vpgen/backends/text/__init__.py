"""Reading Korean and English: what a text says of place, time and weather; block lists; the sentence encoder."""
