"""What is minimized: one training objective a file."""
