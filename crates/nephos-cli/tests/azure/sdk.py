"""What the tests ask of Azure's SDK for Python: one JSON list of arguments in, one JSON value out."""

import base64
import datetime
import json
import sys
import time
import urllib.error
import urllib.request

from azure.cosmos import CosmosClient
from azure.storage.blob import BlobServiceClient, ContentSettings
from azure.storage.queue import QueueClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

PATIENCE = 60


def put_blob(connection, container, name, text):
    client = BlobServiceClient.from_connection_string(connection).get_blob_client(container, name)
    client.upload_blob(text.encode(), content_settings=ContentSettings(content_type="text/plain"))


def put_file(connection, container, name, path):
    client = BlobServiceClient.from_connection_string(connection).get_blob_client(container, name)
    with open(path, "rb") as file:
        client.upload_blob(file.read(), content_settings=ContentSettings(content_type="image/jpeg"))


def blobs(connection, container):
    return sorted(BlobServiceClient.from_connection_string(connection).get_container_client(container).list_blob_names())


def gone(connection, container, name):
    """Waits until a blob is gone."""
    client = BlobServiceClient.from_connection_string(connection).get_blob_client(container, name)
    until = time.monotonic() + PATIENCE
    while client.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def blob(connection, container, name):
    """Waits for a blob's text."""
    client = BlobServiceClient.from_connection_string(connection).get_blob_client(container, name)
    until = time.monotonic() + PATIENCE
    while not client.exists():
        if time.monotonic() > until:
            return None
        time.sleep(0.1)
    return client.download_blob().readall().decode()


def delete_blob(connection, container, name):
    BlobServiceClient.from_connection_string(connection).get_blob_client(container, name).delete_blob()


def send(connection, queue, text):
    QueueClient.from_connection_string(connection, queue).send_message(text)


def messages(connection, queue, count):
    """Waits for so many messages of a queue."""
    client = QueueClient.from_connection_string(connection, queue)
    until = time.monotonic() + PATIENCE
    while True:
        found = [message.content for message in client.peek_messages(32)]
        if len(found) >= count or time.monotonic() > until:
            return found
        time.sleep(0.1)


def container(endpoint, database, name):
    # The emulator tells an address of its own with https.
    client = CosmosClient(endpoint, "a2V5", enable_endpoint_discovery=False)
    return client.get_database_client(database).get_container_client(name)


def upsert(endpoint, database, name, item):
    container(endpoint, database, name).upsert_item(item)


def item(endpoint, database, name, key, value):
    """Waits for the item whose attribute `key` is `value`."""
    query = f"SELECT * FROM c WHERE c.{key} = @value"
    until = time.monotonic() + PATIENCE
    while True:
        found = list(
            container(endpoint, database, name).query_items(
                query, parameters=[{"name": "@value", "value": value}], enable_cross_partition_query=True
            )
        )
        if found or time.monotonic() > until:
            return found[0] if found else None
        time.sleep(0.1)


def items(endpoint, database, name):
    return list(container(endpoint, database, name).read_all_items())


def post(url, headers, body):
    request = urllib.request.Request(url, data=body.encode(), headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]


def speak(url, chain_url, chain, authority, key, name, text):
    """Posts a voice request signed with a key for `name`, whose certificate the authority signs, and puts that into the file `chain`."""
    issuer = x509.load_pem_x509_certificate(authority.encode())
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(serialization.load_pem_private_key(key.encode(), None), hashes.SHA256())
    )
    with open(chain, "wb") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    signature = base64.b64encode(own.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    headers = {"content-type": "application/json", "signaturecertchainurl": chain_url, "signature-256": signature}
    return post(url, headers, text)


def get(url):
    try:
        with urllib.request.urlopen(url) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]


if __name__ == "__main__":
    what, *arguments = json.loads(sys.argv[1])
    print(json.dumps(globals()[what](*arguments)))
