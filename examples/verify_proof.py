"""Check a proof made by `monitor audit prove`, with nothing but Python: that a decision stands in the audit log.

    python verify_proof.py proof.json --block-hash HEX          a block hash that you trust
    python verify_proof.py proof.json --public-key FILE ...     the keys of checkpoints that you trust; --signatures N of them

Exit code 0: every proof holds, and leads to what you trust. 1: one does not. 2: wrong usage, or no way to check a signature here.
Signatures need the package `cryptography`; everything else is in the standard library.
"""

import argparse
import hashlib
import json
import struct

DISPOSITIONS = ("scored", "duplicate", "dead letter")
OUTCOMES = ("approve", "review", "block")


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def raw(text):
    found = bytes.fromhex(text)
    if found.hex() != text:
        raise ValueError(f"{text} is not hexadecimal in its one form")
    return found


def root_of(entry, index, size, path):
    """The Merkle root that the path leads to: RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} in a tree of {size}")
    found, last, rest = digest(b"\x00", entry), size - 1, list(path)
    while last:
        if index % 2 or index < last:
            sibling = rest.pop(0)
            found = digest(b"\x01", sibling, found) if index % 2 else digest(b"\x01", found, sibling)
        index, last = index // 2, last // 2
    if rest:
        raise ValueError("the path is longer than its tree is high")
    return found


def read_header(header):
    """The first ten fields of a block's header, from its Avro bytes."""
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = header[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value >> 1 ^ -(value & 1)

    def text():
        nonlocal at
        size = number()
        at += size
        return header[at - size : at].decode()

    names = ("format", "app_id", "topic", "topic_id", "partition", "height")
    names += ("first_offset", "last_offset", "alerts_from_offset", "records")
    return {name: text() if name in names[1:4] else number() for name in names}


def decoded(entry):
    """A decision in words: 24 bytes, and the transaction id behind them."""
    names = ("offset", "score", "disposition", "outcome", "reason", "degraded", "suppression", "flags", "id_length")
    said = dict(zip(names, struct.unpack_from("<qdBBBBBBH", entry)))
    if len(entry) != 24 + said.pop("id_length"):
        raise ValueError("the entry has another length than it says")
    said["score"] = None if said["score"] != said["score"] else said["score"]
    said |= {"disposition": DISPOSITIONS[said["disposition"]], "outcome": OUTCOMES[said["outcome"]]}
    return {"transaction_id": entry[24:].decode(errors="replace"), **said}


def check(proof):
    """`(lines to print, last block of the chain, headers)`; ValueError unless the decision leads to that block's hash."""
    block = proof["block"]
    entry, header = raw(proof["entry"]), raw(block["header"])
    root = root_of(entry, proof["leaf_index"], proof["tree_size"], [raw(each) for each in proof["path"]])
    own = digest(b"\x02", raw(block["previous_hash"]), header, root)
    where, said = read_header(header), decoded(entry)
    if (own.hex(), root.hex(), where["records"]) != (block["block_hash"], block["merkle_root"], proof["tree_size"]):
        raise ValueError("the decision does not lead to the block's hash")
    if proof["decision"] != said or any(block[each] != where[each] for each in ("partition", "height")):
        raise ValueError(f"what it says in words is not what is proved: {said}")
    lines = [
        f"transaction {said['transaction_id']} at offset {said['offset']} of {where['topic']}[{where['partition']}]"
        f" ({where['topic_id']}), installation {where['app_id']}",
        "  " + ", ".join(f"{name} {value}" for name, value in list(said.items())[2:]),
        f"  in block {where['height']}: {own.hex()}",
    ]
    last = where
    for link in proof["chain"]:
        own = digest(b"\x02", own, raw(link["header"]), raw(link["merkle_root"]))
        last = read_header(raw(link["header"]))
    return lines, {"partition": last["partition"], "height": last["height"], "block_hash": own.hex()}, [where, last]


def check_checkpoint(line, last, identities, keys, needed):
    """Raise ValueError unless the checkpoint attests the block `last` and enough of the keys signed it."""
    body = line["checkpoint"]
    attested = [{name: each[name] for name in last} for each in body["partitions"]]
    names = ("app_id", "topic", "topic_id")
    if last not in attested or any(each[name] != body[name] for each in identities for name in names):
        raise ValueError("the checkpoint does not attest this block")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    signers = set()
    for path in keys:
        with open(path, "rb") as pem:
            key = load_pem_public_key(pem.read())
        name = hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()
        try:
            key.verify(bytes.fromhex(line["signatures"].get(name, "")), b"monitor audit checkpoint 1\n" + text)
            signers.add(name)
        except InvalidSignature:
            pass
    if len(signers) < max(needed, 1):
        raise ValueError(f"{len(signers)} valid signatures of the keys given, {needed} are needed")
    return f"  attested by checkpoint {body['sequence']}, {len(signers)} signature(s)"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("proof")
    parser.add_argument("--block-hash", help="hash of the block that the proof ends with, from a source you trust")
    parser.add_argument("--public-key", action="append", default=[], help="PEM; may be given several times")
    parser.add_argument("--signatures", type=int, default=1)
    given = parser.parse_args()
    if not given.block_hash and not given.public_key:
        parser.error("say what you trust: --block-hash or --public-key")
    try:
        with open(given.proof, encoding="utf-8") as opened:
            whole = json.load(opened)
        if whole["format"] != 1 or not whole["proofs"]:
            raise ValueError("no decision in it, or another format than 1")
        for proof in whole["proofs"]:
            lines, last, identities = check(proof)
            if proof["decision"]["transaction_id"] != whole["transaction_id"]:
                raise ValueError(f"not of transaction {whole['transaction_id']}")
            if given.block_hash and given.block_hash not in (last["block_hash"], proof["block"]["block_hash"]):
                raise ValueError(f"it ends with block {last['block_hash']}, trusted is {given.block_hash}")
            if given.public_key:
                lines.append(
                    check_checkpoint(proof["checkpoint"], last, identities, given.public_key, given.signatures)
                )
            print("\n".join(lines))
    except ImportError:
        print("not checked: signatures need the package `cryptography`; or trust a block hash: --block-hash")
        return 2
    except (ValueError, KeyError, IndexError, TypeError, struct.error) as error:
        print(f"REFUSED: {type(error).__name__}: {error}")
        return 1
    print("proved")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
