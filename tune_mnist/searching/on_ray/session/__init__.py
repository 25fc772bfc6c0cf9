"""Ray itself: started for one search in this process, or a cluster that runs already."""
