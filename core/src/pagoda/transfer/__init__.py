"""Entries and their schema in files: written for another host or a spreadsheet, and read again."""
