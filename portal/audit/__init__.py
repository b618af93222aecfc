"""The append-only, hash-chained record of every sensitive act."""
