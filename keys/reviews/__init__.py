"""The monthly access review: who has which keys and connections, what to do about each, approved by an owner."""
