"""What is done to a network's scores before the argmax, at evaluation alone: one file each."""
