"""Text3DSAM prediction: a volume and free text in, labels out."""
