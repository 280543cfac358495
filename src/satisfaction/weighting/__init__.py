"""weighting"""
