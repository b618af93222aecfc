"""What the workers do: when each regular task ran last, and what failed for good and waits for a person."""
