"""Which pose matters: can it be learned from labels of sets alone?"""
