"""The generated parts of the documentation: tables out of the operator's own sources."""
