"""Cells: complete installations, each with a part of the organizations (docs/cells.md)."""
