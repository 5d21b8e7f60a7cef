"""What users ask for: one file a noun, each like a paragraph of the specification."""
