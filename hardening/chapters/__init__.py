"""The chapters of docs/reliability.md; what they share lies one floor above."""
