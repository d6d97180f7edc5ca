"""What a running listener really serves, asked of its reflection.

The messages of grpc.reflection.v1alpha are built here from their published
numbers, for Debian has no package for them.
"""

import importlib
import pathlib
import pkgutil

import missioncontrol.v1
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

# So that the default pool knows every message of the contract.
for module in pkgutil.iter_modules(missioncontrol.v1.__path__):
    if module.name.endswith("_pb2"):
        importlib.import_module("missioncontrol.v1." + module.name)


def _messages():
    """Request and response, as far as they are used."""
    file = descriptor_pb2.FileDescriptorProto(
        name="reflection_by_hand.proto", package="by_hand", syntax="proto3")
    string, message, data = 9, 11, 12

    def make(name, *fields):
        made = file.message_type.add(name=name)
        for field, number, kind, repeated, of in fields:
            made.field.add(name=field, number=number, type=kind,
                           label=3 if repeated else 1,
                           type_name=of and ".by_hand." + of)

    make("Service", ("name", 1, string, False, None))
    make("Services", ("service", 1, message, True, "Service"))
    make("Files", ("file", 1, data, True, None))
    make("Request",
         ("file_by_filename", 3, string, False, None),
         ("file_containing_symbol", 4, string, False, None),
         ("list_services", 7, string, False, None))
    make("Response",
         ("files", 4, message, False, "Files"),
         ("services", 6, message, False, "Services"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return tuple(factory.GetPrototype(pool.FindMessageTypeByName(
        "by_hand." + name)) for name in ("Request", "Response"))


_REQUEST, _RESPONSE = _messages()


class Method:
    """An RPC that a listener serves."""

    def __init__(self, service, proto):
        self.path = f"/{service}/{proto.name}"
        self.service = service
        self.name = proto.name
        self.client_streaming = proto.client_streaming
        # Absent for what is not of this contract.
        self.request = self._find(proto.input_type)
        self.response = self._find(proto.output_type)

    @staticmethod
    def _find(type_name):
        pool = descriptor_pool.Default()
        try:
            found = pool.FindMessageTypeByName(type_name.lstrip("."))
        except KeyError:
            return None
        return message_factory.MessageFactory(pool).GetPrototype(found)

    def __repr__(self):
        return self.path


def methods(channel, timeout):
    """Every method of every service of the listener behind the channel."""
    call = channel.stream_stream(
        REFLECTION, request_serializer=lambda m: m.SerializeToString(),
        response_deserializer=_RESPONSE.FromString)

    def ask(**question):
        answers = list(call(iter([_REQUEST(**question)]), timeout=timeout))
        assert len(answers) == 1, answers
        return answers[0]

    found = []
    for service in ask(list_services="*").services.service:
        for data in ask(file_containing_symbol=service.name).files.file:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            for each in file.service:
                if f"{file.package}.{each.name}" == service.name:
                    found += [Method(service.name, m) for m in each.method]
    return found


def roles(source):
    """What the contract says of each method of FleetService: name -> role."""
    text = (pathlib.Path(source) / "proto/missioncontrol/v1/fleet_service.proto"
            ).read_text()
    said, found = None, {}
    for line in text.splitlines():
        words = line.split()
        if words[:2] == ["//", "Role:"]:
            said = words[2].strip(".,")
        elif words[:1] == ["rpc"]:
            found[words[1].split("(")[0]] = said
            said = None
    return found
