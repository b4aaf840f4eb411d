"""The same run elsewhere: its energy over time at another place, hour, price or GPU; pure.

``profile`` is a run's energy by quarter hour, ``place`` the rates there, ``outcome`` what one
amounts to at the other, ``starts`` the hours to begin in, ``compare`` joins them.
"""
