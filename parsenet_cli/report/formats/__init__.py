"""What a table or report is written as: one file each, found by its name."""
