"""Read-only facts about programs."""
