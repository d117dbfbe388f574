"""Pages of runs for the browser: one HTML file that shows everything, and loads nothing."""
