"""When input pictures are checked, on the local stack with the functions' own permissions."""

from datetime import UTC, datetime, timedelta
from typing import Any

from darkroom.images.model import image_key
from darkroom.times import precise
from tests.e2e.conftest import Running, txt2img
from tests.support.pictures import png


def checks(darkroom: Running, picture: str) -> list[dict[str, Any]]:
    """The row that says when a picture is checked, if there is one."""
    rows = darkroom.aws("dynamodb").scan(TableName=darkroom.stack.outputs["PicturesTable"])["Items"]
    return [row for row in rows if row["picture"]["S"].endswith(picture) and row["job"]["S"] == "look"]


def put_forward(darkroom: Running, check: dict[str, Any]) -> None:
    """Nobody can wait a day: the time of the check has come."""
    darkroom.aws("dynamodb").update_item(
        TableName=darkroom.stack.outputs["PicturesTable"],
        Key={name: check[name] for name in ("picture", "job")},
        UpdateExpression="SET look_at = :past",
        ExpressionAttributeValues={":past": {"S": precise(datetime.now(UTC) - timedelta(hours=1))}},
    )


def test_the_delete_of_a_job_has_its_pictures_checked_a_day_later(darkroom: Running) -> None:
    picture = darkroom.client.upload(png(color=(9, 8, 7)))
    job = darkroom.client.submit({**txt2img(), "type": "img2img", "images": {"init": picture}})
    darkroom.client.settled(job["id"], 60)
    assert checks(darkroom, picture) == []
    darkroom.client.delete_job(job["id"])
    [check] = checks(darkroom, picture)
    assert check["look_at"]["S"] > precise(datetime.now(UTC) + timedelta(hours=23))

    # A picture that was stored within a day is checked again later.
    put_forward(darkroom, check)
    darkroom.sweep()
    [again] = checks(darkroom, picture)
    assert again["look_at"]["S"] > precise(datetime.now(UTC) + timedelta(hours=23))

    # One that has gone is checked no more.
    bucket = darkroom.stack.outputs["PicturesBucket"]
    darkroom.aws("s3").delete_object(Bucket=bucket, Key=image_key("admin", picture))
    put_forward(darkroom, again)
    darkroom.sweep()
    assert checks(darkroom, picture) == []
