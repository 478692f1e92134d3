"""This code beside that of another commit: are the results equal to the bit, and which is faster and smaller?"""
