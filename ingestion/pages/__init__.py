"""Views about what came in: read the request, call one selector or service, render."""
