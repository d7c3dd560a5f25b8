"""One scan: headers, series, geometry, masks, identifiers, NIfTI."""
