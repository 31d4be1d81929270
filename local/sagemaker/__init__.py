"""A SageMaker for one machine: endpoints, asynchronous invocations, their results in S3 and their notices on SNS.

Start it with `python -m local.sagemaker`. The S3 and SNS behind it are real servers (MiniStack), the
worker it calls is the real one; only SageMaker itself is played here.
"""
