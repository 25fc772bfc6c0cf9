"""Sentences for fields that commands without a request have too; light, for `--help`."""

RESULTS = "Folder of the results store, or its address: s3://bucket/prefix, gs:// or az://."
DATA_DIR = "Where to look for data sets first."
MOVED = "Where the folder of images is now, if it has moved."
S3_ENDPOINT = "Where S3 is, if not at Amazon's; default AWS_ENDPOINT_URL."
