"""Questions beside the challenge's: does wording matter, and is what is not there left alone?"""
