"""A study on a cluster: what it will ask for, where it stands, how it goes on after a fault."""
