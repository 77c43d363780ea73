"""Inventories: the frozen impacts of a reporting period. So far drafts; closing a period comes with its approvals."""
