"""Training views that are drawn anew at every step: moving bodies before random cameras, seen by a flawed detector.

A window of frames is composed in this order, each file a part: frames of recorded clips (``clips``) or poses of
random joint angles (``drawn_poses``), limbs of other moments (``limbs``), other proportions (``bodies``), a camera
(``cameras``), and what a detector makes of it (``detections``, or residuals of real ones); ``views`` puts them
together. Every random draw is taken from a generator on the CPU that the caller seeds.
"""
