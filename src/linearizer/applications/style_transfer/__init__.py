"""Styles as linear operators between two shared bijections."""
