"""Findings of an audit for people: on the terminal and as a page."""
