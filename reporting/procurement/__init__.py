"""Which offer to buy: criteria with weights, scores from ranges, and what nobody can say. Values in, values out."""
