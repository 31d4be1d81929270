"""The real adapters behind the ports: the only place that imports boto3 and botocore."""
