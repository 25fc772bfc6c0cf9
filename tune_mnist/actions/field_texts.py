"""Sentences for fields that commands without a request have too; light, for `--help`."""

RESULTS = "Folder of the results store, or its address: s3://bucket/prefix, gs:// or az://."
S3_ENDPOINT = "Where S3 is, if not at Amazon's; default AWS_ENDPOINT_URL."
