"""Views: read the request, call one selector, render."""
