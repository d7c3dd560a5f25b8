"""What was done, by what, with what result; and whether anything has changed since."""
