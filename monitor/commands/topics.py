"""`monitor topics`: make what is missing, and show what is there."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from confluent_kafka.admin import AdminClient

from monitor.settings import load_settings
from monitor.wire.kafka_config import admin_config
from monitor.wire.topics import create_missing, inspect, plan


@click.group()
def topics() -> None:
    """The topics of this installation (docs/topics.md)."""


@topics.command(short_help="Make the topics that are missing.")
@click.option("--partitions", type=click.IntRange(1, 10_000), help="Partitions of new topics, over topic_partitions.")
@click.option("--replication", type=click.IntRange(1, 9), help="Replication of new topics, over topic_replication.")
@click.pass_obj
def create(config: Path | None, partitions: int | None, replication: int | None) -> None:
    """Make the topics that are missing. Those that exist stay as they are, so it can be run again."""
    wanted = {"topic_partitions": partitions, "topic_replication": replication}
    settings = load_settings(config, overrides={name: value for name, value in wanted.items() if value is not None})
    made = create_missing(AdminClient(admin_config(settings)), settings)
    for name in made:
        click.echo(f"created  {name}")
    there = [topic.name for topic in plan(settings) if topic.name not in made]
    for name in there:
        click.echo(f"exists   {name}")


@topics.command(short_help="How each topic is.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: role -> facts.")
@click.pass_obj
def show(config: Path | None, as_json: bool) -> None:
    """Each topic: its role, name, partitions, replication, Kafka's id, and the settings that matter here."""
    settings = load_settings(config)
    facts = inspect(AdminClient(admin_config(settings)), [topic.name for topic in plan(settings)])
    planned = plan(settings, facts[settings.topic_transactions].partitions or None)
    if as_json:
        click.echo(json.dumps({topic.role: asdict(facts[topic.name]) for topic in planned}))
        return
    width = max(len(topic.name) for topic in planned)
    for topic in planned:
        fact = facts[topic.name]
        if not fact.exists:
            click.echo(f"{topic.role:<12}  {topic.name:<{width}}  missing; `monitor topics create` makes it")
            continue
        found = fact.config or {}
        kept = "  ".join(f"{key}={found.get(key, '?')}" for key in topic.config)
        shape = f"{fact.partitions} partitions x {fact.replication}"
        click.echo(f"{topic.role:<12}  {topic.name:<{width}}  {shape}  {fact.topic_id}  {kept}")
