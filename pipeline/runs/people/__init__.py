"""Who is who: the athletes of a take, and a page to choose them from."""
