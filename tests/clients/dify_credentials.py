"""Encrypts and decrypts credentials in the formats of Dify, with the library that Dify uses (PyCryptodome).

Reads one JSON object per line and prints one: `do` names the function, the other members are its arguments.
"""

import base64
import hashlib
import json
import sys

from Crypto.Cipher import AES, PKCS1_OAEP
from Crypto.PublicKey import RSA
from Crypto.Random import get_random_bytes
from Crypto.Util.Padding import pad, unpad

HYBRID = b"HYBRID:"


def generate():
    key = RSA.generate(2048)
    return {"private": key.export_key().decode(), "public": key.publickey().export_key().decode()}


def encrypt(public, text):
    aes_key = get_random_bytes(16)
    cipher = AES.new(aes_key, AES.MODE_EAX)
    ciphertext, tag = cipher.encrypt_and_digest(text.encode())
    wrapped = PKCS1_OAEP.new(RSA.import_key(public)).encrypt(aes_key)
    return base64.b64encode(HYBRID + wrapped + cipher.nonce + tag + ciphertext).decode()


def encrypt_without_aes(public, text):
    """The format before the hybrid one, for short texts."""
    return base64.b64encode(PKCS1_OAEP.new(RSA.import_key(public)).encrypt(text.encode())).decode()


def decrypt(private, text):
    data = base64.b64decode(text)
    assert data.startswith(HYBRID)
    data = data[len(HYBRID) :]
    key = RSA.import_key(private)
    size = key.size_in_bytes()
    aes_key = PKCS1_OAEP.new(key).decrypt(data[:size])
    cipher = AES.new(aes_key, AES.MODE_EAX, nonce=data[size : size + 16])
    return cipher.decrypt_and_verify(data[size + 32 :], data[size + 16 : size + 32]).decode()


def encrypt_client(secret_key, params):
    iv = get_random_bytes(16)
    cipher = AES.new(hashlib.sha256(secret_key.encode()).digest(), AES.MODE_CBC, iv)
    return base64.b64encode(iv + cipher.encrypt(pad(json.dumps(params).encode(), AES.block_size))).decode()


def decrypt_client(secret_key, text):
    data = base64.b64decode(text)
    cipher = AES.new(hashlib.sha256(secret_key.encode()).digest(), AES.MODE_CBC, data[:16])
    return json.loads(unpad(cipher.decrypt(data[16:]), AES.block_size))


FUNCTIONS = {
    function.__name__: function
    for function in [generate, encrypt, encrypt_without_aes, decrypt, encrypt_client, decrypt_client]
}

for line in sys.stdin:
    arguments = json.loads(line)
    result = FUNCTIONS[arguments.pop("do")](**arguments)
    print(json.dumps({"result": result}), flush=True)
