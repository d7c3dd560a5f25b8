"""What steps hand each other: files, their formats, records, problems. Imports nothing of the package."""
