"""Notices: which event is told to whom, how often, in which words, and when is it tried again?"""
