"""Puts the embedded S3-compatible store to the test with boto3, a client that shares no code with it.

Usage: s3_boto3.py ENDPOINT ACCESS_KEY_ID SECRET_ACCESS_KEY BUCKET
"""

import hashlib
import io
import sys
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import ClientError

KEYS = ["plain.txt", "with space.txt", "naïve/日本語.txt", "100%/50%25.txt", "a+b=c&d;e,f", "🙂/#1?", "trailing."]
MIB = 1 << 20


def client(endpoint, key_id, secret):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        region_name="eu-west-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        got = error.response["Error"]["Code"]
        status = str(error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert code in (got, status), f"expected {code}, got {got} ({status}): {error}"
        return
    raise AssertionError(f"{call.__name__}{arguments} was to be refused with {code}")


def buckets(s3, bucket):
    names = [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    assert bucket in names, names
    s3.create_bucket(Bucket="made-by-boto3", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.head_bucket(Bucket="made-by-boto3")
    s3.put_object(Bucket="made-by-boto3", Key="a", Body=b"1")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket="made-by-boto3")
    s3.delete_object(Bucket="made-by-boto3", Key="a")
    s3.delete_bucket(Bucket="made-by-boto3")
    refused("404", s3.head_bucket, Bucket="made-by-boto3")
    refused("NoSuchBucket", s3.put_object, Bucket="made-by-boto3", Key="a", Body=b"1")


def objects(s3, bucket):
    for key in KEYS:
        body = key.encode()
        put = s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/x-odd", Metadata={"name": "value"})
        got = s3.get_object(Bucket=bucket, Key=key)
        assert got["Body"].read() == body, key
        assert (got["ETag"], got["ContentType"], got["Metadata"]) == (put["ETag"], "text/x-odd", {"name": "value"})
        head = s3.head_object(Bucket=bucket, Key=key)
        assert head["ContentLength"] == len(body), key
    listed = [entry["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}) for entry in page["Contents"]]
    assert listed == sorted(KEYS, key=str.encode), listed
    older = [entry["Key"] for page in s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3}) for entry in page["Contents"]]
    assert older == listed, older
    folded = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [entry["Prefix"] for entry in folded["CommonPrefixes"]] == sorted(["naïve/", "100%/", "🙂/"], key=str.encode)
    refused("NoSuchKey", s3.get_object, Bucket=bucket, Key="missing")
    s3.delete_object(Bucket=bucket, Key="missing")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in KEYS]})
    assert len(answer["Deleted"]) == len(KEYS) and not answer.get("Errors"), answer
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def ranges_and_conditions(s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="ten", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="ten", Range="bytes=2-4")
    assert (got["Body"].read(), got["ContentRange"]) == (b"234", "bytes 2-4/10")
    refused("InvalidRange", s3.get_object, Bucket=bucket, Key="ten", Range="bytes=10-")
    refused("304", s3.get_object, Bucket=bucket, Key="ten", IfNoneMatch=put["ETag"])
    refused("412", s3.get_object, Bucket=bucket, Key="ten", IfMatch='"other"')
    refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="ten", Body=b"x", IfNoneMatch="*")
    refused("PreconditionFailed", s3.put_object, Bucket=bucket, Key="ten", Body=b"x", IfMatch='"other"')
    s3.put_object(Bucket=bucket, Key="ten", Body=b"new", IfMatch=put["ETag"])
    assert s3.get_object(Bucket=bucket, Key="ten")["Body"].read() == b"new"


def checksums(s3, bucket):
    for algorithm in ["CRC32", "SHA1", "SHA256"]:
        s3.put_object(Bucket=bucket, Key="summed", Body=b"content", ChecksumAlgorithm=algorithm)
    # Streams are sent in chunks with the checksum behind them.
    s3.put_object(Bucket=bucket, Key="summed", Body=io.BytesIO(b"streamed" * 100_000))
    assert s3.head_object(Bucket=bucket, Key="summed")["ContentLength"] == 800_000
    refused("BadDigest", s3.put_object, Bucket=bucket, Key="summed", Body=b"content", ChecksumSHA256="A" * 43 + "=")
    refused("BadDigest", s3.put_object, Bucket=bucket, Key="summed", Body=b"content", ContentMD5="A" * 22 + "==")
    assert s3.head_object(Bucket=bucket, Key="summed")["ContentLength"] == 800_000


def copies(s3, bucket):
    s3.put_object(Bucket=bucket, Key="from here", Body=b"content", Metadata={"a": "1"}, ContentType="text/x-a")
    s3.copy_object(Bucket=bucket, Key="kept", CopySource={"Bucket": bucket, "Key": "from here"})
    kept = s3.head_object(Bucket=bucket, Key="kept")
    assert (kept["Metadata"], kept["ContentType"]) == ({"a": "1"}, "text/x-a"), kept
    s3.copy_object(Bucket=bucket, Key="new", CopySource={"Bucket": bucket, "Key": "from here"}, MetadataDirective="REPLACE", Metadata={"b": "2"})
    assert s3.head_object(Bucket=bucket, Key="new")["Metadata"] == {"b": "2"}
    refused("NoSuchKey", s3.copy_object, Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "missing"})


def parts(s3, bucket):
    content = bytes(range(256)) * (12 * MIB // 256)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_fileobj(io.BytesIO(content), bucket, "big", Config=config)
    taken = io.BytesIO()
    s3.download_fileobj(bucket, "big", taken, Config=config)
    assert hashlib.sha256(taken.getvalue()).digest() == hashlib.sha256(content).digest()
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "big copy", Config=config)
    assert s3.head_object(Bucket=bucket, Key="big copy")["ContentLength"] == len(content)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="by hand")["UploadId"]
    etags = {number: s3.upload_part(Bucket=bucket, Key="by hand", UploadId=upload, PartNumber=number, Body=b"%d" % number)["ETag"] for number in (3, 1, 2)}
    listed = s3.list_parts(Bucket=bucket, Key="by hand", UploadId=upload)["Parts"]
    assert [(part["PartNumber"], part["ETag"]) for part in listed] == sorted(etags.items()), listed
    assert [entry["UploadId"] for entry in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    named = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(etags.items())]
    refused("InvalidPart", s3.complete_multipart_upload, Bucket=bucket, Key="by hand", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 4, "ETag": '"x"'}]})
    s3.complete_multipart_upload(Bucket=bucket, Key="by hand", UploadId=upload, MultipartUpload={"Parts": named})
    assert s3.get_object(Bucket=bucket, Key="by hand")["Body"].read() == b"123"
    refused("NoSuchUpload", s3.abort_multipart_upload, Bucket=bucket, Key="by hand", UploadId=upload)


def signed(s3, bucket):
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "signed key"}, ExpiresIn=60)
    urllib.request.urlopen(urllib.request.Request(url, data=b"signed", method="PUT")).close()
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "signed key"}, ExpiresIn=60)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"signed"
    try:
        urllib.request.urlopen(url.replace("signed%20key", "other%20key")).close()
    except urllib.error.HTTPError as error:
        assert error.code == 403, error
    else:
        raise AssertionError("a URL for another key was taken")


def main():
    endpoint, key_id, secret, bucket = sys.argv[1:]
    s3 = client(endpoint, key_id, secret)
    for check in (buckets, objects, ranges_and_conditions, checksums, copies, parts, signed):
        check(s3, bucket)
        print(f"{check.__name__}: ok", flush=True)
    refused("403", client(endpoint, key_id, "wrong").list_objects_v2, Bucket=bucket)
    refused("403", client(endpoint, "stranger", secret).list_objects_v2, Bucket=bucket)
    print("strangers: ok", flush=True)


main()
