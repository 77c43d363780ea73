"""REST views: read the query, call one selector, answer in the form that was asked for."""
