"""What ``headct audit verify`` checks, a module for each kind of thing that a results folder states."""
