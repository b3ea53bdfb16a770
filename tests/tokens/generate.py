"""Makes vectors.json: tokens of PyJWT and golang-jwt, good and bad, with keys to verify them by.

    pip install 'pyjwt[crypto]' && python tests/tokens/generate.py

Needs Go too. Keys are made anew and their private halves thrown away, so every run changes every
token; `cargo test -p gyre-auth --test vectors` says whether the result still holds.
"""

import base64
import hashlib
import hmac
import json
import subprocess
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from jwt import algorithms

HERE = Path(__file__).parent
SECRET = "a secret of the vectors, long enough for all three digests of the HMAC family"
CLAIMS = {"sub": "42", "exp": 2_000_000_000, "iat": 1_700_000_000}
EXPIRED = {"sub": "42", "exp": 1_700_000_000}
EARLY = {"sub": "42", "nbf": 1_900_000_000}
HMAC, RSA = ["HS256", "HS384", "HS512"], ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]


def private_pem(key):
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()


def public_pem(key, shape=form.PublicFormat.SubjectPublicKeyInfo):
    return key.public_key().public_bytes(form.Encoding.PEM, shape).decode()


def jwk(kind, key, **fields):
    return kind.to_jwk(key.public_key(), as_dict=True) | {"use": "sig"} | fields


def part(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def split(token):
    head, claims, signature = token.split(".")
    return head, claims, base64.urlsafe_b64decode(signature + "==")


keys = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "other-rsa": rsa.generate_private_key(65537, 3072),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "ed": ed25519.Ed25519PrivateKey.generate(),
}
short = rsa.generate_private_key(65537, 1024)
pems = {name: private_pem(key) for name, key in keys.items()}
signers = {**dict.fromkeys(HMAC, SECRET), **dict.fromkeys(RSA, pems["rsa"])}
signers |= {"ES256": pems["p256"], "ES384": pems["p384"], "ES512": pems["p521"], "EdDSA": pems["ed"]}
kids = dict.fromkeys(RSA, "rsa") | {"ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed"}

key_set = {
    "keys": [
        jwk(algorithms.RSAAlgorithm, keys["rsa"], kid="rsa"),
        jwk(algorithms.RSAAlgorithm, keys["other-rsa"], kid="only-rs256", alg="RS256"),
        jwk(algorithms.RSAAlgorithm, keys["rsa"], kid="for-encryption", use="enc"),
        jwk(algorithms.RSAAlgorithm, short, kid="short"),
        jwk(algorithms.ECAlgorithm, keys["p256"], kid="p256"),
        jwk(algorithms.ECAlgorithm, keys["p384"], kid="p384"),
        jwk(algorithms.ECAlgorithm, keys["p521"], kid="p521"),
        jwk(algorithms.OKPAlgorithm, keys["ed"], kid="ed"),
        {"kty": "oct", "kid": "oct", "use": "sig", "k": part(SECRET.encode())},
        {"kty": "of the future", "kid": "future"},
    ]
}
pkcs1 = public_pem(keys["rsa"], form.PublicFormat.PKCS1)
sources = {
    "secret": {"hmac_secret_key": SECRET},
    "rsa": {"rsa_public_key": public_pem(keys["rsa"])},
    "rsa-pkcs1": {"rsa_public_key": pkcs1},
    "rsa-base64": {"rsa_public_key": base64.b64encode(pkcs1.encode()).decode()},
    "p256": {"ecdsa_public_key": public_pem(keys["p256"])},
    "p384": {"ecdsa_public_key": public_pem(keys["p384"])},
    "p521": {"ecdsa_public_key": public_pem(keys["p521"])},
    "all": {
        "hmac_secret_key": SECRET,
        "rsa_public_key": public_pem(keys["rsa"]),
        "ecdsa_public_key": public_pem(keys["p256"]),
    },
    "set": {"jwks": key_set},
}


def homes(alg):
    """Where the key of an algorithm can be: the sources that must accept its tokens."""
    if alg in HMAC:
        return ["secret", "all"]
    if alg in RSA:
        return ["rsa", "rsa-pkcs1", "rsa-base64", "all", "set"]
    return {"ES256": ["p256", "all", "set"], "ES384": ["p384", "set"], "ES512": ["p521", "set"], "EdDSA": ["set"]}[alg]


def go(jobs):
    done = subprocess.run(["go", "run", "."], cwd=HERE / "go", input=json.dumps(jobs), text=True, capture_output=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def python(jobs):
    return [jwt.encode(j["claims"], j["key"], j["alg"], headers={"kid": j["kid"]} if j["kid"] else {}) for j in jobs]


vectors = {}


def vector(name, by, source, token, expect):
    entry = vectors.setdefault((name, by), {"name": name, "by": by, "token": token, "expect": {}})
    assert entry["token"] == token, name
    entry["expect"][source] = expect


# every algorithm, of both libraries, by every source that has the key; and by all others
jobs, wanted = [], []
for alg, key in signers.items():
    for name, claims, expect in [("good", CLAIMS, "42"), ("late", EXPIRED, "expired"), ("early", EARLY, "expired")]:
        jobs.append({"alg": alg, "key": key, "kid": kids.get(alg, ""), "claims": claims})
        wanted.append((f"{alg} {name}", alg, expect))
for by, made in [("PyJWT", python(jobs)), ("golang-jwt", go(jobs))]:
    for token, (name, alg, expect) in zip(made, wanted, strict=True):
        for source in sources:
            vector(name, by, source, token, expect if source in homes(alg) else "invalid")

# signed by a key that nobody has
foreign = {
    **dict.fromkeys(HMAC, SECRET + "!"),
    **dict.fromkeys(RSA, pems["other-rsa"]),
    "ES256": private_pem(ec.generate_private_key(ec.SECP256R1())),
    "ES384": private_pem(ec.generate_private_key(ec.SECP384R1())),
    "ES512": private_pem(ec.generate_private_key(ec.SECP521R1())),
    "EdDSA": private_pem(ed25519.Ed25519PrivateKey.generate()),
}
jobs = [{"alg": alg, "key": key, "kid": kids.get(alg, ""), "claims": CLAIMS} for alg, key in foreign.items()]
for by, made in [("PyJWT", python(jobs)), ("golang-jwt", go(jobs))]:
    for token, job in zip(made, jobs, strict=True):
        for source in homes(job["alg"]):
            vector(f"{job['alg']} of a stranger", by, source, token, "invalid")

# altered: one bit of the signature, a byte too few, one too many, none, and claims of another
jobs = [{"alg": alg, "key": key, "kid": kids.get(alg, ""), "claims": CLAIMS} for alg, key in signers.items()]
for token, job in zip(python(jobs), jobs, strict=True):
    alg = job["alg"]
    head, claims, signature = split(token)
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    source = homes(alg)[-1]
    for name, made in [("bit", flipped), ("short", signature[:-1]), ("long", signature + b"\0"), ("none", b"")]:
        vector(f"{alg} altered: {name}", "hand", source, f"{head}.{claims}.{part(made)}", "invalid")
    other = part({"sub": "1"})
    vector(f"{alg} altered: claims", "hand", source, f"{head}.{other}.{part(signature)}", "invalid")
    # the signature under the name of each other algorithm
    for wrong in [*signers, "ES256K", "none"]:
        if wrong != alg:
            renamed = part({"alg": wrong, "typ": "JWT", "kid": kids.get(alg, "")})
            for source in homes(alg):
                vector(f"{alg} under the name {wrong}", "hand", source, f"{renamed}.{claims}.{part(signature)}", "invalid")

# a public key as the secret of an HMAC, in each of its forms
publics = {
    "rsa": [public_pem(keys["rsa"]), pkcs1, public_pem(keys["rsa"]).strip(), key_set["keys"][0]["n"]],
    "p256": [public_pem(keys["p256"]), key_set["keys"][4]["x"]],
    "ed": [public_pem(keys["ed"]), key_set["keys"][7]["x"]],
}
for kid, forms in publics.items():
    for number, text in enumerate(forms):
        head, claims = part({"alg": "HS256", "kid": kid}), part(CLAIMS)
        tag = hmac.digest(text.encode(), f"{head}.{claims}".encode(), hashlib.sha256)
        for source in sources:
            vector(f"HS256 with the public key {kid}, form {number}", "hand", source, f"{head}.{claims}.{part(tag)}", "invalid")
vector("HS256 with a secret of the set", "PyJWT", "set", jwt.encode(CLAIMS, SECRET, "HS256", headers={"kid": "oct"}), "invalid")

# what a signature must not look like
head, claims, signature = split(jwt.encode(CLAIMS, pems["p256"], "ES256", headers={"kid": "p256"}))
r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
assert decode_dss_signature(encode_dss_signature(r, s)) == (r, s)
for source in homes("ES256"):
    vector("ES256 in DER", "hand", source, f"{head}.{claims}.{part(encode_dss_signature(r, s))}", "invalid")
    vector("ES256 of zeros", "hand", source, f"{head}.{claims}.{part(bytes(64))}", "invalid")

# keys of a set
def by_set(alg, key, **headers):
    return jwt.encode(CLAIMS, key, alg, headers=headers)


for name, token, expect in [
    ("no key id", by_set("RS256", pems["rsa"]), "invalid"),
    ("empty key id", by_set("RS256", pems["rsa"], kid=""), "invalid"),
    ("unknown key id", by_set("RS256", pems["rsa"], kid="nobody"), "invalid"),
    ("id of another kind of key", by_set("RS256", pems["rsa"], kid="p256"), "invalid"),
    ("id of another key", by_set("RS256", pems["rsa"], kid="only-rs256"), "invalid"),
    ("the only algorithm of a key", by_set("RS256", pems["other-rsa"], kid="only-rs256"), "42"),
    ("not the only algorithm of a key", by_set("RS512", pems["other-rsa"], kid="only-rs256"), "invalid"),
    ("a key for encryption", by_set("RS256", pems["rsa"], kid="for-encryption"), "invalid"),
    ("a short key", by_set("RS256", private_pem(short), kid="short"), "invalid"),
    ("a curve that we lack", by_set("ES256K", private_pem(ec.generate_private_key(ec.SECP256K1())), kid="p256"), "invalid"),
    ("a key inside the header", by_set("RS256", pems["other-rsa"], kid="nobody", jwk=key_set["keys"][1]), "invalid"),
    ("the address of a key set", by_set("RS256", pems["other-rsa"], kid="nobody", jku="https://a.example/jwks"), "invalid"),
    ("critical extensions", by_set("RS256", pems["rsa"], kid="rsa", crit=["b64"]), "invalid"),
]:
    vector(name, "PyJWT", "set", token, expect)

text = json.dumps({"now": 1_800_000_000, "keys": sources, "vectors": [*vectors.values()]}, indent=0, ensure_ascii=False)
(HERE / "vectors.json").write_text(text + "\n")
print(len(vectors), "tokens,", sum(len(one["expect"]) for one in vectors.values()), "verdicts")
