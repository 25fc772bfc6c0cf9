"""The Python API on scikit-learn's digits: run it as a script, or cell by cell in a notebook."""

# %% Search: twenty SVMs, a few seconds.
from tune_mnist import SearchRequest, figures, leaderboard, load_results, search

searched = search(SearchRequest(space="svm", dataset="digits", trials=20, name="example"))
print(searched)

# %% What is in the store.
results = load_results("results")
print(results)
print(results.searches[["search", "sampler", "finished", "best_val_accuracy"]])

# %% The five best, and the kernels they use.
best = leaderboard(results, top=5)
print(best[["rank", "config", "val_accuracy", "test_accuracy", "wall_time_s"]])
print(results.trials.groupby("config.kernel")["val_accuracy"].max())

# %% Figures: in a notebook the last line of a cell shows the figure.
figures.tradeoff(results).write_html("tradeoff.html")
figures.parallel_coordinates(results).write_html("parallel_coordinates.html")
