"""What the pages show, read from the folder of runs."""
