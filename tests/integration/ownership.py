"""Whose a row of the store is, and where a message names whose it is."""

import sqlite3

from google.protobuf.descriptor import FieldDescriptor as F
from missioncontrol.v1 import options_pb2


class Store:
    """All rows, and whose they are by the schema's references."""

    # Of exchanges, also of those that were refused.
    COUNTERS = {"exchange_count"}

    def __init__(self, service):
        self.path = next(service.dir.glob("*.db"))

    def rows(self):
        """Of all tables: {(table, row)}."""
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as db:
            return {(table, row) for table in self._tables(db)
                    for row in db.execute(f'SELECT * FROM "{table}"')}

    def rows_of(self, cluster_id):
        """All that refers to this cluster, its license or its account."""
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as db:
            tables = self._tables(db)
            account, = db.execute(
                "SELECT account_row FROM license WHERE id = (SELECT license_row"
                " FROM cluster WHERE cluster_id = ?)", [cluster_id]).fetchone()
            owned = {"account": {account}}
            found = set()
            # Until nothing is added: references come in any order.
            before = -1
            while before != len(found):
                before = len(found)
                for table in tables:
                    self._add(db, table, owned, found)
            return found

    def _tables(self, db):
        return [name for name, in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT "
            "LIKE 'sqlite%'") if name not in self.COUNTERS]

    @staticmethod
    def _add(db, table, owned, found):
        references = {(r[3], r[2]) for r in db.execute(
            f'PRAGMA foreign_key_list("{table}")')}
        cursor = db.execute(f'SELECT * FROM "{table}"')
        columns = [c[0] for c in cursor.description]
        for row in cursor:
            named = dict(zip(columns, row))
            mine = named.get("id") in owned.get(table, ()) or any(
                named[column] in owned.get(parent, ())
                for column, parent in references)
            if mine:
                found.add((table, row))
                if "id" in named:
                    owned.setdefault(table, set()).add(named["id"])


def id_fields(message, path=()):
    """Every field of the format ID that is filled: path, owner, field."""
    for field, value in message.ListFields():
        repeated = field.label == F.LABEL_REPEATED
        for i, each in enumerate(value if repeated else [value]):
            here = path + ((field.name, i if repeated else None),)
            if field.type == F.TYPE_MESSAGE:
                yield from id_fields(each, here)
            elif (field.GetOptions().Extensions[options_pb2.format]
                  == options_pb2.FORMAT_ID):
                yield here, field


def put(message, path, value):
    for name, index in path[:-1]:
        message = getattr(message, name)
        message = message if index is None else message[index]
    name, index = path[-1]
    if index is None:
        setattr(message, name, value)
    else:
        getattr(message, name)[index] = value


def shape(message, names):
    """All that is said, with others' names for names; but for times, and what
    is drawn or signed."""
    said = []
    for field, value in message.ListFields():
        if field.type == F.TYPE_BYTES or field.name == "password":
            continue
        found = []
        for each in value if field.label == F.LABEL_REPEATED else [value]:
            if field.type != F.TYPE_MESSAGE:
                found.append(renamed(str(each), names))
            elif field.message_type.full_name != "google.protobuf.Timestamp":
                found.append(shape(each, names))
        # Listings are in the order of names.
        said.append((field.name, sorted(found, key=str)))
    return said


def renamed(text, names):
    for name, other in names:
        text = text.replace(name, other)
    return text
