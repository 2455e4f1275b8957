"""Tracking: identities of people in a video, from frame to frame and over gaps, and the choice of the athlete."""
