"""What a team may emit in a quarter, at what pace it does, and what is said about it."""
