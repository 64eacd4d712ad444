"""What boto3 does on the dev server: `boto3-steps.py N` runs step N."""
import io
import os
import sys
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

MiB = 1024 * 1024
BUCKET = 'boto3-one'
OTHER = 'boto3-two'
BYTES = bytes(range(256)) * (12 * MiB // 256) + b'end'

config = Config(
    s3={'addressing_style': 'path'},
    retries={'max_attempts': 1},
    # Or else URLs are presigned by a version that newer regions refuse.
    signature_version='s3v4',
)
s3 = boto3.client('s3', endpoint_url=os.environ['S3_ENDPOINT'], config=config)
parts = TransferConfig(multipart_threshold=5 * MiB, multipart_chunksize=5 * MiB)


def code_of(work):
    try:
        work()
    except ClientError as error:
        return error.response['Error']['Code']
    return None


def read(key, **more):
    return s3.get_object(Bucket=BUCKET, Key=key, **more)['Body'].read()


def put(key, body=b'x', **more):
    return s3.put_object(Bucket=BUCKET, Key=key, Body=body, **more)


def buckets():
    for name in (BUCKET, OTHER):
        s3.create_bucket(Bucket=name)
        s3.get_waiter('bucket_exists').wait(Bucket=name)
    names = [bucket['Name'] for bucket in s3.list_buckets()['Buckets']]
    assert BUCKET in names and OTHER in names, names
    assert s3.get_bucket_location(Bucket=BUCKET)['LocationConstraint'] is None
    assert 'Status' not in s3.get_bucket_versioning(Bucket=BUCKET)


def files():
    with open('boto3.bin', 'wb') as file:
        file.write(BYTES)
    extra = {'Metadata': {'author': 'alice'}, 'ContentType': 'text/x'}
    s3.upload_file('boto3.bin', BUCKET, 'dir/big', ExtraArgs=extra, Config=parts)
    s3.download_file(BUCKET, 'dir/big', 'boto3-back.bin', Config=parts)
    with open('boto3-back.bin', 'rb') as file:
        assert file.read() == BYTES
    head = s3.head_object(Bucket=BUCKET, Key='dir/big')
    assert head['Metadata'] == {'author': 'alice'}, head
    assert head['ETag'].endswith('-3"'), head


def streams():
    s3.upload_fileobj(io.BytesIO(BYTES), BUCKET, 'stream', Config=parts)
    assert read('stream') == BYTES
    source = {'Bucket': BUCKET, 'Key': 'stream'}
    s3.copy(source, OTHER, 'copied', Config=parts)
    copied = s3.get_object(Bucket=OTHER, Key='copied')['Body'].read()
    assert copied == BYTES


def pages():
    keys = ['list/' + name for name in ('a', 'b c', 'd+e', 'sub/f', 'sub/g')]
    for key in keys:
        put(key)
    for name in ('list_objects', 'list_objects_v2'):
        found, folders = [], []
        for page in s3.get_paginator(name).paginate(
            Bucket=BUCKET, Prefix='list/', Delimiter='/',
            PaginationConfig={'PageSize': 2},
        ):
            found += [item['Key'] for item in page.get('Contents', [])]
            folders += [item['Prefix'] for item in page.get('CommonPrefixes', [])]
        assert found == keys[:3], found
        assert folders == ['list/sub/'], folders


def conditions():
    etag = put('condition', b'one')['ETag']
    assert read('condition', IfMatch=etag) == b'one'
    get = lambda **more: lambda: read('condition', **more)
    assert code_of(get(IfMatch='"x"')) == 'PreconditionFailed'
    assert code_of(get(IfNoneMatch=etag)) == '304'
    assert read('condition', Range='bytes=1-1') == b'n'
    assert code_of(get(Range='bytes=9-')) == 'InvalidRange'


def tags():
    put('tagged', Tagging='a=1&b=2')
    tagged = {'Bucket': BUCKET, 'Key': 'tagged'}
    assert len(s3.get_object_tagging(**tagged)['TagSet']) == 2
    new = [{'Key': ' c d ', 'Value': '<&>'}]
    s3.put_object_tagging(**tagged, Tagging={'TagSet': new})
    assert s3.get_object_tagging(**tagged)['TagSet'] == new
    s3.delete_object_tagging(**tagged)
    assert s3.get_object_tagging(**tagged)['TagSet'] == []


def attributes():
    got = s3.get_object_attributes(
        Bucket=BUCKET, Key='stream',
        ObjectAttributes=['ETag', 'ObjectSize', 'ObjectParts'],
    )
    assert got['ObjectSize'] == len(BYTES), got
    assert got['ObjectParts']['TotalPartsCount'] == 3, got
    part = read('stream', PartNumber=2)
    assert part == BYTES[5 * MiB:10 * MiB]


def by_hand():
    target = {'Bucket': BUCKET, 'Key': 'by hand'}
    upload = s3.create_multipart_upload(**target)['UploadId']
    listed = s3.list_multipart_uploads(Bucket=BUCKET)['Uploads']
    assert [item['UploadId'] for item in listed] == [upload], listed
    s3.abort_multipart_upload(**target, UploadId=upload)
    assert 'Uploads' not in s3.list_multipart_uploads(Bucket=BUCKET)
    upload = s3.create_multipart_upload(**target)['UploadId']
    etag = s3.upload_part(
        **target, UploadId=upload, PartNumber=1, Body=b'part')['ETag']
    assert s3.list_parts(**target, UploadId=upload)['Parts'][0]['Size'] == 4
    done = {'Parts': [{'PartNumber': 1, 'ETag': etag}]}
    answers = [
        s3.complete_multipart_upload(
            **target, UploadId=upload, MultipartUpload=done)['ETag']
        for _ in range(2)
    ]
    assert answers[0] == answers[1], answers
    assert read('by hand') == b'part'


def presigned():
    target = {'Bucket': BUCKET, 'Key': 'pre signed'}
    put_url = s3.generate_presigned_url('put_object', Params=target)
    request = urllib.request.Request(put_url, data=b'signed', method='PUT')
    # urllib would send a type that was not signed.
    request.add_header('Content-Type', '')
    assert urllib.request.urlopen(request).status == 200
    get_url = s3.generate_presigned_url('get_object', Params={
        **target, 'ResponseContentDisposition': 'attachment; filename="a b"'})
    answer = urllib.request.urlopen(get_url)
    assert answer.read() == b'signed'
    assert answer.headers['content-disposition'] == 'attachment; filename="a b"'


def deletions():
    for key in ('delete/a', 'delete/ b&c ', 'stays'):
        put(key)
    objects = [{'Key': key} for key in ('delete/a', 'delete/ b&c ', 'none')]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={'Objects': objects})
    assert len(answer['Deleted']) == 3 and 'Errors' not in answer, answer
    left = s3.list_objects_v2(Bucket=BUCKET, Prefix='delete/')
    assert left['KeyCount'] == 0, left
    assert read('stays') == b'x'


def refusals():
    put('locked', b'precious')
    locked = {'Bucket': BUCKET, 'Key': 'locked'}
    calls = [
        lambda: s3.put_object_retention(**locked, Retention={'Mode': 'GOVERNANCE'}),
        lambda: s3.put_object_legal_hold(**locked, LegalHold={'Status': 'ON'}),
        lambda: s3.put_object_acl(**locked, ACL='public-read'),
        lambda: s3.put_public_access_block(
            Bucket=BUCKET,
            PublicAccessBlockConfiguration={'BlockPublicAcls': True}),
        lambda: s3.put_bucket_encryption(
            Bucket=BUCKET,
            ServerSideEncryptionConfiguration={'Rules': [
                {'ApplyServerSideEncryptionByDefault': {'SSEAlgorithm': 'AES256'}}]}),
        lambda: s3.list_object_versions(Bucket=BUCKET),
    ]
    for call in calls:
        assert code_of(call) == 'NotImplemented'
    assert read('locked') == b'precious'
    assert code_of(lambda: read('none')) == 'NoSuchKey'


def end():
    assert code_of(lambda: s3.delete_bucket(Bucket=BUCKET)) == 'BucketNotEmpty'
    for name in (BUCKET, OTHER):
        bucket = boto3.resource(
            's3', endpoint_url=os.environ['S3_ENDPOINT'], config=config
        ).Bucket(name)
        bucket.objects.all().delete()
        bucket.delete()
    names = [bucket['Name'] for bucket in s3.list_buckets()['Buckets']]
    assert BUCKET not in names and OTHER not in names, names


steps = [buckets, files, streams, pages, conditions, tags, attributes, by_hand,
         presigned, deletions, refusals, end]
steps[int(sys.argv[1])]()
