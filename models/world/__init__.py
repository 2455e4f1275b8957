"""Where is up, where is the floor, what is a metre: people in the world, from their joints in a rig's axes."""
