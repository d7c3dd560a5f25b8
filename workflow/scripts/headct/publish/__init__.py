"""Numbers as they are read: tables, figures, reports."""
