"""Creates a bucket and a user who may use it, on the S3 server of the tests. Prints the bucket's URL with the user's keys.

The first requests of the server need no credential; every later one needs a valid signature.
"""

import json
import sys
from urllib.parse import quote

import boto3

endpoint, bucket = sys.argv[1], "files"
unsigned = {
    "endpoint_url": endpoint,
    "region_name": "us-east-1",
    "aws_access_key_id": "unsigned",
    "aws_secret_access_key": "unsigned",
}
iam = boto3.client("iam", **unsigned)
iam.create_user(UserName="tests")
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="tests", PolicyName="files", PolicyDocument=json.dumps(policy))
key = iam.create_access_key(UserName="tests")["AccessKey"]
boto3.client("s3", **unsigned).create_bucket(Bucket=bucket)
user = ":".join(quote(key[part], safe="") for part in ("AccessKeyId", "SecretAccessKey"))
print(f"{endpoint.replace('://', f'://{user}@')}/{bucket}")
