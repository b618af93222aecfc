"""Companies, members and roles."""
