"""Synthetic example volumes: made by a generator, no patient behind them."""
