"""The Kafka of the race, and what is asked of it beside reading and writing."""

from collections.abc import Mapping

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from monitor.embedded.kafka import EmbeddedKafka

PARTITIONS = 4
HEAP_MIB = 2048
QUICK_COMPILER = "-XX:TieredStopAtLevel=1"
WAIT_S = 60.0


class RaceKafka(EmbeddedKafka):
    """The embedded Kafka with the JVM's own compiler: it lives for an hour, and has a core for itself."""

    def __init__(self, config: Mapping[str, str] | None = None) -> None:
        super().__init__(config, heap_mib=HEAP_MIB)

    def _command(self, *arguments: object) -> list[str]:
        command: list[str] = super()._command(*arguments)  # type: ignore[arg-type]
        return [each for each in command if each != QUICK_COMPILER]

    def create(self, *topics: str) -> None:
        admin = self._admin()  # its futures end with it
        made = admin.create_topics([NewTopic(each, PARTITIONS, 1) for each in topics])
        for future in made.values():
            future.result(WAIT_S)

    def topics_of(self, name: str) -> list[str]:
        """Topics with `name` in their names: some frameworks put something before it, some behind."""
        return [topic for topic in self._admin().list_topics(timeout=WAIT_S).topics if name in topic]

    def forget(self, name: str) -> None:
        """Delete the topics with `name` in their names."""
        topics, admin = self.topics_of(name), self._admin()
        if topics:
            for future in admin.delete_topics(topics).values():
                future.result(WAIT_S)

    def bytes_in(self, name: str, without: str = "-warm") -> int:
        """On disk, as compressed, of the topics with `name` in their names and not `without`."""
        logs = (log for log in self.data.glob(f"*{name}*/*.log") if without not in log.parent.name)
        return sum(log.stat().st_size for log in logs)

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
