"""The nouns: frozen values that travel between the steps, grouped by where they come from."""
