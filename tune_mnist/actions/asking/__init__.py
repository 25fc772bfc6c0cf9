"""Ask and tell: searches whose trials are trained elsewhere, by clients of a service.

A client asks for a configuration (`suggest`), trains it, perhaps says on the way how it goes
(`report`), and tells its result (`complete`). Nothing is kept between two calls: what a search has
done is in the store, and who trains what is in one small document a search (`held.py`). Any number
of processes may serve one store.
"""

from tune_mnist.actions.asking.beginning import Begun, begin, resume, stop
from tune_mnist.actions.asking.complete import Completed, complete
from tune_mnist.actions.asking.refused import ConflictError, UnknownError
from tune_mnist.actions.asking.report import Reported, report
from tune_mnist.actions.asking.suggest import Suggested, Suggestion, suggest

__all__ = [
    "Begun",
    "Completed",
    "ConflictError",
    "Reported",
    "Suggested",
    "Suggestion",
    "UnknownError",
    "begin",
    "complete",
    "report",
    "resume",
    "stop",
    "suggest",
]
