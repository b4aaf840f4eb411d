"""Raw responses of hosted models, one module for each shape of API; pure.

A module has ``read``, which takes a response that is known to have its shape and gives what is
allow-listed of it. No text of a prompt, an answer or an error leaves here.
"""
