"""What does another cluster's definition of a VM amount to here? One file per format: text in, a value out."""
