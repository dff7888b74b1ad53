"""Move many pictures at once: from folders, into data sets, between installations."""
