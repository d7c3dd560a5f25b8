"""What a run says of itself in prose: reporting checklists, model cards, a paragraph for the methods section.

Every number is read from the results, none is typed here.
"""
