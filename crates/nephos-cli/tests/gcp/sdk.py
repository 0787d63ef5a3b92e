"""What the tests ask of Google's clients for Python: a JSON list of a function's name and arguments a line in, a JSON object a line out.

What makes something happen is sent to Google's own host names; messages and documents are read from Google's emulators over gRPC, past everything that is tested.
"""

import base64
import functools
import json
import os
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.api_core import exceptions
from google.cloud import firestore, secretmanager_v1, storage
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.oauth2.credentials import Credentials
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

PATIENCE = 120

project, token, pubsub, firestore_at = sys.argv[1:]
credentials = Credentials(token)
rest = {"credentials": credentials, "transport": "rest"}
objects = storage.Client(project=project, credentials=credentials)
secrets = secretmanager_v1.SecretManagerServiceClient(**rest)
documents = FirestoreClient(**rest)
publisher = PublisherClient(**rest)
subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=grpc.insecure_channel(pubsub)))
# The client of documents takes an emulator's address from nowhere else.
os.environ["FIRESTORE_EMULATOR_HOST"] = firestore_at


def wait(look):
    """Looks until there is something; the last that was seen."""
    until = time.monotonic() + PATIENCE
    while True:
        found = look()
        if found or time.monotonic() > until:
            return found
        time.sleep(0.1)


def put_text(bucket, name, text):
    objects.bucket(bucket).blob(name).upload_from_string(text, content_type="text/plain")


def put_file(bucket, name, path):
    objects.bucket(bucket).blob(name).upload_from_filename(path, content_type="image/jpeg")


def delete(bucket, name):
    objects.bucket(bucket).delete_blob(name)


def names(bucket):
    return sorted(blob.name for blob in objects.list_blobs(bucket))


def text(bucket, name):
    """Waits for an object's text."""

    def look():
        try:
            return objects.bucket(bucket).blob(name).download_as_bytes().decode()
        except exceptions.NotFound:
            return None

    return wait(look)


def gone(bucket, name):
    """Waits until an object is gone."""
    return wait(lambda: not objects.bucket(bucket).blob(name).exists())


def make_secret(name):
    secrets.create_secret(parent=f"projects/{project}", secret_id=name, secret={"replication": {"automatic": {}}})


def let_read(name, account):
    """Lets a service account read a secret, and nobody else."""
    binding = {"role": "roles/secretmanager.secretAccessor", "members": [f"serviceAccount:{account}"]}
    secrets.set_iam_policy(request={"resource": f"projects/{project}/secrets/{name}", "policy": {"bindings": [binding]}})


def set_secret(name, value):
    parent = f"projects/{project}/secrets/{name}"
    secrets.add_secret_version(parent=parent, payload={"data": value.encode()})


def publish(topic, body, key, attributes):
    message = {"data": body.encode(), "ordering_key": key, "attributes": attributes}
    publisher.publish(topic=f"projects/{project}/topics/{topic}", messages=[message])


def messages(subscription, count):
    """Waits for so many messages of a queue that nobody else receives, and takes them."""
    name = f"projects/{project}/subscriptions/{subscription}"
    found = []

    def look():
        answer = subscriber.pull({"subscription": name, "max_messages": 10, "return_immediately": True})
        received = answer.received_messages
        if received:
            subscriber.acknowledge(subscription=name, ack_ids=[one.ack_id for one in received])
        for one in received:
            found.append({"body": one.message.data.decode(), "attributes": dict(one.message.attributes)})
        return len(found) >= count

    wait(look)
    return found


@functools.cache
def collection(database, name):
    return firestore.Client(project=project, database=database).collection(name)


def item(database, name, key, value):
    """Waits for the item whose attribute `key` is `value`."""

    def look():
        where = firestore.FieldFilter(key, "==", value)
        return [document.to_dict() for document in collection(database, name).where(filter=where).stream()]

    found = wait(look)
    return found[0] if found else None


def items(database, name):
    return [document.to_dict() for document in collection(database, name).stream()]


def set_item(database, name, key, fields):
    path = f"projects/{project}/databases/{database}/documents/{name}/{key}"
    values = {field: {"string_value": value} for field, value in fields.items()}
    documents.commit(
        database=f"projects/{project}/databases/{database}", writes=[{"update": {"name": path, "fields": values}}]
    )


def post(url, headers, body):
    return answer(urllib.request.Request(url, data=body.encode(), headers=headers, method="POST"))


def get(url):
    return answer(urllib.request.Request(url))


def answer(request):
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as told:
            return [told.status, told.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]


def coded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signer():
    """A key of one's own, whose public half is told at the address that this gives; it signs what `signed` is given."""
    global key
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = key.public_key().public_numbers()
    jwk = {
        "kty": "RSA",
        "alg": "RS256",
        "use": "sig",
        "kid": "one",
        "n": coded(numbers.n.to_bytes(256, "big")),
        "e": coded(numbers.e.to_bytes(3, "big")),
    }
    told = json.dumps({"keys": [jwk]}).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def signed(claims):
    head = {"alg": "RS256", "kid": "one", "typ": "JWT"}
    text = f"{coded(json.dumps(head).encode())}.{coded(json.dumps(claims).encode())}"
    return f"{text}.{coded(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


for line in sys.stdin:
    what, *arguments = json.loads(line)
    try:
        told = {"told": globals()[what](*arguments)}
    except Exception:
        told = {"failed": traceback.format_exc()}
    print(json.dumps(told, default=str), flush=True)
