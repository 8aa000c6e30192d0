"""The words in which the kinds are described, and what each becomes in a CRD.

A description says what a person needs to know of a field (meaning, unit, default); the rest follows
from the constructor. Every string and every list has a maximum: a rule in CEL is admitted by the
API server only when its worst case is cheap.
"""

import copy
from dataclasses import dataclass, field

INT32_MAX, INT64_MAX = 2**31 - 1, 2**63 - 1
NAME_MAX, PATH_MAX = 253, 4096

CONTROL = r"\x00-\x1f\x7f"
UNSIGNED = r"(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)"
HOST_AND_PORT = r"([A-Za-z0-9._-]+|\[[A-Za-z0-9:.%]+\])(:[0-9]{1,5})?"


@dataclass(frozen=True)
class Syntax:
    """What a string may look like: RE2, anchored at both ends, and what is said otherwise. `never`
    are further patterns, unanchored, that must not be found. Named as in api/syntax.h."""
    pattern: str
    message: str
    never: tuple = ()       # (pattern, message)
    silent: bool = False    # as `pattern` of the schema: no cost, but the API server's own words


def cron_pattern():
    def values(value):
        item = rf"([*?]|{value}(-{value})?)(/\+?[0-9]+)?"
        return rf",*{item}(,+{item})*,*"

    fields = (r"\+?0*[0-5]?[0-9]", r"\+?0*(2[0-3]|1?[0-9])", r"\+?0*(3[01]|[12][0-9]|[1-9])",
              r"(\+?0*(1[0-2]|[1-9])|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
              r"(\+?0*[0-6]|sun|mon|tue|wed|thu|fri|sat)")
    plain = r"\s*(?i:" + r"\s+".join(values(value) for value in fields) + r")\s*"
    return (plain + r"|@(yearly|annually|monthly|weekly|daily|midnight|hourly)"
            rf"|@every \+?{UNSIGNED}")


PARENT = (r"(^|/)\.\.(/|$)", '".." is not allowed in a path')
ADDRESS = "expected a host and perhaps a port, such as s3.example.com:9000; credentials belong " \
    "into the Secret"
LINK_LOCAL = (r"^([A-Za-z]+://)?(169\.254\.|\[[fF][eE][89abAB])",
              "a link-local address is no storage service")

SYNTAX = {
    "label": Syntax(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
                    "expected a name of at most 63 lower-case letters, digits and \"-\""),
    "subdomain": Syntax(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
                        "expected a name of lower-case letters, digits, \"-\" and \".\""),
    "absolute_path": Syntax(rf"/[^{CONTROL}]*",
                            "expected an absolute path, one that begins with \"/\"", (PARENT,)),
    "relative_path": Syntax(rf"[^/{CONTROL}][^{CONTROL}]*",
                            "expected a relative path, one that does not begin with \"/\"",
                            (PARENT,)),
    "line": Syntax(rf"[^{CONTROL}]*", "", silent=True),
    "host": Syntax(r"[A-Za-z0-9._][A-Za-z0-9._-]*",
                   "expected a host such as host-0: letters, digits, \".\", \"_\" and \"-\""),
    "snapshot": Syntax(r"latest|[0-9a-f]{8,64}",
                       "expected the ID of a snapshot (8 to 64 hex digits) or latest"),
    "time": Syntax(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
                   r"(Z|[+-][0-9]{2}:[0-9]{2})",
                   "expected a time with zone, such as 2024-05-01T13:30:00Z"),
    "schedule": Syntax(cron_pattern(), "expected five fields such as \"0 3 * * *\" (minute, hour, "
                       "day of month, month, day of week), @daily, or @every 6h; no time zone"),
    "duration": Syntax(rf"\+?{UNSIGNED}",
                       "expected a duration such as 1h30m; days are written in hours"),
    "duration_positive": Syntax(rf"\+?{UNSIGNED}",
                                "expected a duration such as 1h30m; days are written in hours",
                                ((r"^[^1-9]*$", "a duration above 0s is expected"),)),
    "within": Syntax(r"([0-9]+[ymwdh])+", "expected a span such as 30d or 1y6m",
                     ((r"^[^1-9]*$", "a span above zero is expected"),)),
    "bucket": Syntax(rf"[^/{CONTROL}]+", "expected the name of a bucket alone: no \"/\", a folder "
                     "goes into prefix", ((r"^\.\.?$", "\".\" and \"..\" name no bucket"),)),
    "prefix": Syntax(rf"[^{CONTROL}]*", "expected a folder inside the bucket", (PARENT,)),
    "s3_endpoint": Syntax(rf"(?i:https?://)?{HOST_AND_PORT}(/[^?# {CONTROL}]*)?", ADDRESS,
                          (LINK_LOCAL,)),
    "rest_url": Syntax(rf"(?i:https?://){HOST_AND_PORT}(/[^?# {CONTROL}]*)?",
                       "expected an address that begins with https:// or http://; credentials "
                       "belong into the Secret", (LINK_LOCAL,)),
    "image": Syntax(r"[^\x00-\x20\x7f]*", "an image reference holds no blanks"),
    "tag": Syntax(rf"[^-{CONTROL}][^{CONTROL}]*|", "a tag does not begin with \"-\""),
}

# Judged by the webhook alone: a pattern would say less than it does.
WEBHOOK_ONLY = {"base64", "env_name", "header_name", "header_value", "data_key", "port_name",
                "hook_template", "label_key", "label_value", "restic_args"}

QUANTITY = r"^\+?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
QUANTITY_OR_VARIABLE = QUANTITY[:-1] + r"$|\$\{"


@dataclass(frozen=True)
class Rule:
    """What must hold, in CEL; `at` is the field below that is named in the error."""
    rule: str
    message: str
    at: str = ""
    missing: bool = False   # the fault is that something is absent


@dataclass
class Node:
    """One field: its type, and what is said of it."""
    type: str               # string boolean integer quantity port object list map anything
    text: str = ""
    like: str = ""          # of a string: its Syntax
    enum: tuple = ()
    format: str = ""
    default: object = None
    least: int = None       # of an integer
    most: int = None        # of an integer; elements of a list; characters of a string
    fewest: int = None      # elements of a list
    some: bool = False      # a string that must not be empty when it is required
    members: dict = field(default_factory=dict)
    required: frozenset = frozenset()
    ruled: frozenset = frozenset()      # required, but by a rule with words of its own
    rules: tuple = ()
    open: bool = False      # members that are not described here are kept
    variables: bool = False  # strings below may hold ${NAME}
    of: object = None       # elements of a list, values of a map
    key: str = ""           # of a list: no two elements have the same
    unique: bool = False    # of a list of strings: no two are equal
    cheap: bool = False     # of a string: a pattern, where rules would cost too much

    def but(self, text=None, **changes):
        """The same with another description."""
        other = copy.copy(self)
        other.text = self.text if text is None else text
        for name, value in changes.items():
            setattr(other, name, value)
        return other


def string(text="", like="", most=None, **more):
    usual = {"label": 63, "schedule": 1024, "prefix": 1024, "bucket": 256, "snapshot": 64,
             "absolute_path": PATH_MAX, "relative_path": PATH_MAX, "duration": 64,
             "duration_positive": 64, "within": 64, "time": 64, "s3_endpoint": 1024,
             "rest_url": 1024, "image": 1024, "line": 1024}
    return Node("string", text, like=like, most=most or usual.get(like, NAME_MAX), **more)


def free(text, most=32768, **more):
    """A string whose content is nobody's business here."""
    return Node("string", text, most=most, **more)


def word(text, *words, default=None):
    text += f" Default: {default}." if default else ""
    return Node("string", text, enum=words, default=default)


def flag(text):
    return Node("boolean", text)


def int32(text, least=None, most=None, default=None):
    text += f" Default: {default}." if default is not None else ""
    return Node("integer", text, format="int32", least=least, most=most, default=default)


def int64(text, least=None, most=None):
    return Node("integer", text, format="int64", least=least, most=most)


def time(text):
    return Node("string", text, format="date-time")


def quantity(text=""):
    return Node("quantity", text)


def port(text):
    return Node("port", text)


def anything(text):
    """An object of Kubernetes or of somebody else, kept as it is."""
    return Node("object", text, open=True)


def listof(of, text, most=64, **more):
    return Node("list", text, of=of, most=most, **more)


def mapof(of, text, most=256):
    return Node("map", text, of=of, most=most)


def obj(text, members, *rules, **more):
    """An object. "name!" is required; "name*" is required by one of the rules."""
    return Node("object", text, rules=rules,
                members={name.rstrip("!*"): node for name, node in members.items()},
                required=frozenset(name[:-1] for name in members if name.endswith("!")),
                ruled=frozenset(name[:-1] for name in members if name.endswith("*")), **more)


# ---- as the schema of a CRD ----

def quoted(pattern):
    """A raw string of CEL: patterns hold no quotes."""
    assert "'" not in pattern
    return f"r'{pattern}'"


def judged(test, variables, empty):
    if empty:
        test = f"self == '' || {test}"
    if variables:
        test = "self.contains('${') || " + (f"({test})" if "||" in test and "&&" in test else test)
    return test


def string_rules(node, variables, empty):
    """Rules in CEL of a string, by its syntax."""
    syntax = SYNTAX.get(node.like)
    if not syntax or syntax.silent or node.cheap:
        return []
    rules = [{"rule": judged(f"self.matches({quoted('^(' + syntax.pattern + ')$')})", variables,
                             empty), "message": syntax.message}]
    for pattern, message in syntax.never:
        rules.append({"rule": judged(f"!self.matches({quoted(pattern)})", variables, empty),
                      "message": message})
    return rules


def string_schema(node, variables, place):
    """`place`: required, optional, or element (of a list or a map)."""
    out = {"type": "string"}
    if node.format:
        out["format"] = node.format
    if node.enum:
        out["enum"] = list(node.enum)
        return out
    if not node.format:
        out["maxLength"] = node.most
    if node.some and place == "required":
        out["minLength"] = 1
    if node.like == "line" or node.cheap:
        out["pattern"] = f"^({SYNTAX[node.like].pattern})$"
    rules = string_rules(node, variables, place == "optional")
    rules += [as_rule(rule) for rule in node.rules]
    if rules:
        out["x-kubernetes-validations"] = rules
    return out


def integer_schema(node):
    out = {"type": "integer", "format": node.format}
    if node.least is not None:
        out["minimum"] = node.least
    if node.most is not None and node.most < INT64_MAX:  # a larger one is no int64 anyhow
        out["maximum"] = node.most
    return out


def as_rule(rule):
    out = {"rule": rule.rule, "message": rule.message}
    if rule.missing:
        out["reason"] = "FieldValueRequired"
    if rule.at:
        out["fieldPath"] = rule.at
    return out


def object_schema(node, variables):
    out = {"type": "object"}
    variables = variables or node.variables
    if node.open:
        out["x-kubernetes-preserve-unknown-fields"] = True
    if node.rules:
        out["x-kubernetes-validations"] = [as_rule(rule) for rule in node.rules]
    if node.required:
        out["required"] = sorted(node.required)
    if node.members:
        out["properties"] = {
            name: schema(member, variables, "required" if name in node.required else "optional")
            for name, member in sorted(node.members.items())}
    return out


def list_schema(node, variables):
    out = {"type": "array", "maxItems": node.most}
    if node.fewest:
        out["minItems"] = node.fewest
    if node.key:
        out["x-kubernetes-list-type"] = "map"
        out["x-kubernetes-list-map-keys"] = [node.key]
    elif node.unique:
        out["x-kubernetes-list-type"] = "set"
    else:
        out["x-kubernetes-list-type"] = "atomic"
    if node.rules:
        out["x-kubernetes-validations"] = [as_rule(rule) for rule in node.rules]
    out["items"] = schema(node.of, variables, "element")
    return out


def schema(node, variables=False, place="optional"):
    """The node as a structural schema, in the order in which a person reads it."""
    made = {
        "string": lambda: string_schema(node, variables, place),
        "boolean": lambda: {"type": "boolean"},
        "integer": lambda: integer_schema(node),
        "quantity": lambda: {"x-kubernetes-int-or-string": True, "maxLength": 64,
                             "pattern": QUANTITY_OR_VARIABLE if variables else QUANTITY},
        "port": lambda: {"x-kubernetes-int-or-string": True, "maxLength": NAME_MAX},
        "object": lambda: object_schema(node, variables),
        "list": lambda: list_schema(node, variables),
        "map": lambda: {"type": "object", "maxProperties": node.most,
                        "additionalProperties": schema(node.of, variables, "element")},
    }[node.type]()
    out = {}
    if node.text:
        out["description"] = node.text
    if node.default is not None:
        out["default"] = node.default
    out.update(made)
    return out


# ---- as flat lines, to be compared with what the webhook knows ----

def element(node):
    """Of a list or map: what is judged is the element."""
    return node.of if node.type in ("list", "map") else node


def flat(node, path, found, place="optional"):
    """Collects {path: facts}; below a list the path has [], below a map {}."""
    one = element(node)
    facts = {"type": one.type, "list": node.type == "list", "map": node.type == "map",
             "required": place in ("required", "ruled")}
    if one.type == "string":
        facts["words"] = sorted(one.enum)
        facts["check"] = "" if one.enum else one.like
        facts["some"] = one.some or bool(one.like) if place == "required" else False
    if one.type == "integer":
        facts["least"], facts["most"] = one.least, one.most
    if node.type == "list":
        facts["fewest"], facts["many"] = node.fewest or 0, node.most
        facts["key"] = node.key or ("=" if node.unique else "")
    found[path] = facts
    below(one, path + {"list": "[]", "map": "{}"}.get(node.type, ""), found)


def below(node, path, found):
    if node.open:
        found[path + ".*"] = {"type": "open"}
    for name, member in node.members.items():
        place = ("required" if name in node.required else
                 "ruled" if name in node.ruled else "optional")
        flat(member, f"{path}.{name}", found, place)
