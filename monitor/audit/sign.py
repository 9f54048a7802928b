"""Making checkpoints: nothing is signed that was not walked from the last checkpoint on and found whole."""

import time
from collections.abc import Callable, Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monitor.audit.checkpoint import FIRST, Checkpoint, anchors_of, read_chain
from monitor.audit.ledger import Ledger
from monitor.audit.report import Report, verify
from monitor.audit.source import TopicSource
from monitor.audit.walk import Chain
from monitor.errors import SettingsError
from monitor.keys import key_id

Keys = Mapping[str, Ed25519PublicKey]


def attest(
    source: TopicSource,
    ledger: Ledger,
    key: Ed25519PrivateKey,
    others: Keys,
    progress: Callable[[Chain], None] = lambda _: None,
) -> tuple[Report, Checkpoint | None]:
    """Append the next checkpoint to `ledger`; None, and nothing is appended, when the log is not whole.

    Earlier checkpoints must be signed by `key` or one of `others`. Raises `ProtocolError` when they contradict each other, and
    `SettingsError` when there is no block yet.
    """
    chain = read_chain(ledger.lines(), _own(key, others))
    report = _walked(source, chain, progress)
    if not report.ok:
        return report, None
    if not report.tips():
        raise SettingsError(f"topic_audit = {source.audit_topic}: no blocks yet; start a worker first")
    made = Checkpoint(
        audit_topic=source.audit_topic,
        sequence=chain[-1].sequence + 1 if chain else 0,
        time_ms=time.time_ns() // 1_000_000,
        previous=chain[-1].digest() if chain else FIRST,
        anchors=report.tips(),
        signatures={},
    ).sign(key)
    read_chain(
        [*(each.line() for each in chain[-1:]), made.line()], _own(key, others)
    )  # never write what cannot be read
    ledger.append(made.line())
    return report, made


def countersigned(
    source: TopicSource,
    ledger: Ledger,
    key: Ed25519PrivateKey,
    others: Keys,
    progress: Callable[[Chain], None] = lambda _: None,
) -> tuple[Report, Checkpoint | None]:
    """Sign the last checkpoint as well, once the log from its beginning holds against it; None when it does not.

    `others` are the first signers' keys. Raises `SettingsError` when there is no checkpoint.
    """
    chain = read_chain(ledger.lines(), _own(key, others))
    if not chain:
        raise SettingsError("checkpoints: none to countersign; make one first: monitor audit checkpoint")
    report = _walked(source, chain, progress, from_beginning=True)
    if not report.ok:
        return report, None
    made = chain[-1].sign(key)
    ledger.append(made.line())
    return report, made


def _own(key: Ed25519PrivateKey, others: Keys) -> Keys:
    public = key.public_key()
    return {**others, key_id(public): public}


def _walked(
    source: TopicSource, chain: Sequence[Checkpoint], progress: Callable[[Chain], None], from_beginning: bool = False
) -> Report:
    """From each partition's last attested block on, which must still say the same; or all that is there."""
    anchors = anchors_of(chain)
    start = {} if from_beginning else {partition: each[-1].block_offset for partition, each in anchors.items()}
    partitions = sorted({*source.partitions, *anchors})
    held = [each for each in partitions if each in source.partitions]
    return verify(source.blocks(held, start), partitions, anchors, progress)
