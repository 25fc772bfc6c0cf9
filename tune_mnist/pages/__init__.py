"""Pages: self-contained HTML files from figures and numbers."""
