"""One pure renderer a format."""
