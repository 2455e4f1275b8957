"""What users give: recordings, their descriptions and calibrations, videos, 2D poses."""
