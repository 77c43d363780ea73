"""The methodology pages in the product: the Markdown files of docs/methodology, and which of them explains what."""
