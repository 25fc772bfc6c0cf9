"""What the rounds of kills are made of: searches, strikes, and the verdict on a search."""
