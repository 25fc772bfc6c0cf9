"""From the process of a trial to the store: the models that may be among the best."""
