"""Training of Text3DSAM; imports predict.model, never the reverse."""
