"""Calls AWS by boto3, AWS's own SDK for Python: a client that shares no code with what is tested.

Each line of the standard input is a call, {"service": …, "call": …, "params": {…}}; each line of the standard output its answer, {"answer": …} or
{"error": CODE, "message": …}. A parameter {"$file": PATH} is that file's content. Where the service is, and who asks, the environment says.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CONFIG = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})


def given(value):
    if isinstance(value, dict):
        if "$file" in value:
            with open(value["$file"], "rb") as file:
                return file.read()
        return {key: given(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [given(inner) for inner in value]
    return value


def plain(value):
    """What JSON has no word for, as text; a stream's content likewise."""
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    return str(value)


clients = {}
for line in sys.stdin:
    asked = json.loads(line)
    service = asked["service"]
    if service not in clients:
        clients[service] = boto3.client(service, config=CONFIG)
    try:
        answer = getattr(clients[service], asked["call"])(**given(asked["params"]))
        answer.pop("ResponseMetadata", None)
        said = {"answer": answer}
    except ClientError as error:
        said = {"error": error.response["Error"]["Code"], "message": str(error)}
    print(json.dumps(said, default=plain), flush=True)
