"""The Text3DSAM network, one file per box of the paper's Fig. 1."""
