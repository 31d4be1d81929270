"""The routes of the dead-letter queues."""

from typing import Annotated, Any

from darkroom import wiring
from darkroom.dead_letters.api import LetterList, QueueList, Redriven
from darkroom.edge.http import Api, Path, Query

app = Api(origins=lambda: wiring.stage().settings.origins, rate_limiter=lambda: wiring.stage().rate_limiter)
Name = Annotated[str, Path(description="a queue's name, as GET /dead-letters lists it")]


@app.get("/dead-letters", summary="Queues of messages that could not be handled", tags=["dead letters"])
def get_queues() -> QueueList:
    """With the number of messages in each, which SQS knows only approximately."""
    return wiring.stage().dead_letters.all()


@app.get("/dead-letters/<queue>", summary="The messages of a queue, without their text", tags=["dead letters"])
def get_letters(queue: Name, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> LetterList:
    """The messages stay in the queue."""
    return wiring.stage().dead_letters.peek(queue, limit)


@app.post(
    "/dead-letters/<queue>/redrive", summary="Send a queue's messages back to be tried again", tags=["dead letters"]
)
def post_redrive(queue: Name) -> Redriven:
    """Sends as many as the time allows. Send the request again while some are left."""
    return wiring.stage().dead_letters.redrive(queue)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request."""
    return app.handle(event, context)
