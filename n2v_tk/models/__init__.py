"""One class per method."""
