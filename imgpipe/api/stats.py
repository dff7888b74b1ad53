"""Tell how many pictures there are and how they ended."""

from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.scopes import READ
from imgpipe.api.schemas import StatsSchema
from imgpipe.pictures import stats

blp = Blueprint("stats", __name__, description="Statistics")


@blp.route("/api/stats", scope=READ)
@blp.response(200, StatsSchema)
def show_stats() -> stats.Totals:
    """Sum up all pictures; the cost does not grow with their number."""
    return stats.totals()
