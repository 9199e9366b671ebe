"""A long run in one process: does it keep its memory, its files and its pace?"""
