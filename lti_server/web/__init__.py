"""What every page and endpoint shares: problems, headers, sessions, languages, layout."""
