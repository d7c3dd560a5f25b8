"""Models that were made elsewhere: their label maps, found in a folder and placed on the scans' grids."""
