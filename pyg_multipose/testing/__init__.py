from pyg_multipose.testing.combination import CombinationContract
__all__=['CombinationContract']
