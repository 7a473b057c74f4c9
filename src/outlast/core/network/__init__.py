"""Are the networks that guests need up on this node?"""
