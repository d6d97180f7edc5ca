"""Fills every field of a message with a valid value of its own.

Driven by the descriptors and the (format) option alone, so that a field added
to the contract is tested without another line here.
"""

import datetime

from google.protobuf.descriptor import FieldDescriptor as F
from missioncontrol.v1 import options_pb2


class Filler:
    def __init__(self, base_time, overrides=None):
        """overrides: full field name -> value, for instance the cluster ID."""
        self.base = base_time
        self.overrides = overrides or {}
        self.count = 0
        self.filled = []

    def next(self):
        self.count += 1
        return self.count

    def text(self, field):
        n = self.next()
        fmt = field.GetOptions().Extensions[options_pb2.format]
        return {
            options_pb2.FORMAT_ID: f"id-{n}",
            options_pb2.FORMAT_VERSION: f"1.{n}.0",
            options_pb2.FORMAT_TIME_ZONE: "Europe/Vienna",
            options_pb2.FORMAT_TOKEN: f"token-{n}",
            options_pb2.FORMAT_OPAQUE: f"opaque-{n}",
            options_pb2.FORMAT_FREE_TEXT: f"free text {n} \u00e4\u00f6\u00fc",
        }[fmt]

    def fill(self, message):
        name = message.DESCRIPTOR.full_name
        if name == "google.protobuf.Timestamp":
            message.FromDatetime(self.base)
            message.nanos = self.next()
            return message
        if name == "google.protobuf.Duration":
            message.seconds = self.next()
            return message
        if name == "missioncontrol.v1.TimeFrame":
            message.start.FromDatetime(
                self.base + datetime.timedelta(seconds=self.next() % 60))
            message.end.FromDatetime(
                self.base + datetime.timedelta(seconds=100 + self.next() % 60))
            self.filled += [f"{name}.start", f"{name}.end"]
            return message
        oneofs = set()
        for field in message.DESCRIPTOR.fields:
            oneof = field.containing_oneof
            if oneof and len(oneof.fields) > 1:
                if oneof.full_name in oneofs:
                    continue
                oneofs.add(oneof.full_name)
            self.filled.append(field.full_name)
            if field.label == F.LABEL_REPEATED:
                for _ in range(2):
                    self.add(message, field)
            elif field.message_type:
                self.fill(getattr(message, field.name))
            else:
                setattr(message, field.name, self.scalar(field))
        return message

    def add(self, message, field):
        values = getattr(message, field.name)
        if field.message_type:
            self.fill(values.add())
        else:
            values.append(self.scalar(field))

    def scalar(self, field):
        if field.full_name in self.overrides:
            return self.overrides[field.full_name]
        if field.type == F.TYPE_STRING:
            return self.text(field)
        if field.type == F.TYPE_BYTES:
            return self.text(field).encode()
        if field.type == F.TYPE_BOOL:
            return True
        if field.type == F.TYPE_ENUM:
            values = [v.number for v in field.enum_type.values if v.number]
            return values[self.next() % len(values)]
        if field.type in (F.TYPE_DOUBLE, F.TYPE_FLOAT):
            return self.next() + 0.5
        return self.next()
