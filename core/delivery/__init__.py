"""Tell people and programs that something happened: messages, where they go, and what became of each."""
