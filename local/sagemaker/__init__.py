"""A simulator of SageMaker: endpoints, asynchronous invocations, their results in S3 and their notices on SNS.

Start it with `python -m local.sagemaker`. It uses S3 and SNS of MiniStack and calls the real worker; only SageMaker
itself is simulated.
"""
