"""The embedded default: an illustrator that draws people and places from words, as film crews do before shooting."""
