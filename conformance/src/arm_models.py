"""Checks templates for Azure Resource Manager, and requests to it, against the typed models of the packages azure-mgmt-*.

Azure publishes no schema in a registry, but the clients for Python have a class for every body that its interfaces take: the names of its fields as they go over
the wire, their types, which are required, which the service alone sets, and the values of enumerations. The classes are read as text (nothing is imported),
in the two forms in which Azure's generators write them.

Reads one JSON object: `templates` by names, and `requests`, each with method, path and body. Writes one JSON list of findings: file, level, where, what. An
unknown field, a wrong type, a missing required field, a field that only the service sets, a version that the models are not of, and a body that is sent to where none
is known are errors; a value that an enumeration does not list is a warning, because Azure's enumerations are open. Versions of requests are not compared: the
clients ask the manager's own interfaces for later ones than deployment does.
"""

import ast
import json
import pathlib
import re
import sys
import sysconfig

# The models of each type of resource: package, folder of the version if the package has several, class of the body that is sent.
TYPES = {
    "Microsoft.Storage/storageAccounts": ("storage", "", "StorageAccountCreateParameters"),
    "Microsoft.Storage/storageAccounts/blobServices": ("storage", "", "BlobServiceProperties"),
    "Microsoft.Storage/storageAccounts/blobServices/containers": ("storage", "", "BlobContainer"),
    "Microsoft.Storage/storageAccounts/queueServices": ("storage", "", "QueueServiceProperties"),
    "Microsoft.Storage/storageAccounts/queueServices/queues": ("storage", "", "StorageQueue"),
    "Microsoft.Web/serverfarms": ("web", "", "AppServicePlan"),
    "Microsoft.Web/sites": ("web", "", "Site"),
    # Of a site's settings only those of its authentication.
    "Microsoft.Web/sites/config": ("web", "", "SiteAuthSettingsV2"),
    "Microsoft.ManagedIdentity/userAssignedIdentities": ("msi", "v2024_11_30", "Identity"),
    "Microsoft.Authorization/roleAssignments": ("authorization", "v2022_04_01", "RoleAssignmentCreateParameters"),
    "Microsoft.ServiceBus/namespaces": ("servicebus", "", "SBNamespace"),
    "Microsoft.ServiceBus/namespaces/queues": ("servicebus", "", "SBQueue"),
    "Microsoft.EventHub/namespaces": ("eventhub", "", "EHNamespace"),
    "Microsoft.EventHub/namespaces/eventhubs": ("eventhub", "", "Eventhub"),
    "Microsoft.EventHub/namespaces/eventhubs/consumergroups": ("eventhub", "", "ConsumerGroup"),
    "Microsoft.EventGrid/topics": ("eventgrid", "", "Topic"),
    "Microsoft.EventGrid/topics/eventSubscriptions": ("eventgrid", "", "EventSubscription"),
    "Microsoft.EventGrid/systemTopics": ("eventgrid", "", "SystemTopic"),
    "Microsoft.EventGrid/systemTopics/eventSubscriptions": ("eventgrid", "", "EventSubscription"),
    "Microsoft.DocumentDB/databaseAccounts": ("cosmosdb", "", "DatabaseAccountCreateUpdateParameters"),
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases": ("cosmosdb", "", "SqlDatabaseCreateUpdateParameters"),
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers": ("cosmosdb", "", "SqlContainerCreateUpdateParameters"),
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleDefinitions": ("cosmosdb", "", "SqlRoleDefinitionCreateUpdateParameters"),
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments": ("cosmosdb", "", "SqlRoleAssignmentCreateUpdateParameters"),
    "Microsoft.KeyVault/vaults": ("keyvault", "", "VaultCreateOrUpdateParameters"),
    "Microsoft.OperationalInsights/workspaces": ("loganalytics", "", "Workspace"),
    "Microsoft.Insights/components": ("applicationinsights", "v2020_02_02", "ApplicationInsightsComponent"),
}
# The models of what is sent to the manager itself: method, what the path ends with, and the models.
REQUESTS = [
    ("PUT", r"/resourcegroups/[^/]+", ("resource/resources", "", "ResourceGroup")),
    ("PUT", r"/providers/microsoft.resources/deploymentstacks/[^/]+", ("resource/deploymentstacks", "", "DeploymentStack")),
    ("POST", r"/providers/microsoft.resources/deployments/[^/]+/whatif", ("resource/deployments", "", "DeploymentWhatIf")),
    ("PUT", r"/providers/microsoft.authorization/roleassignments/[^/]+", ("authorization", "v2022_04_01", "RoleAssignmentCreateParameters")),
]
# What the template itself says of a resource. The names of a resource's own body that stand beside them (`tags`, `sku`) are the model's.
ENVELOPE = {"type", "apiVersion", "name", "dependsOn", "scope"}
TOP_LEVEL = {"$schema", "languageVersion", "contentVersion", "metadata", "resources", "outputs"}
OUTPUT_TYPES = {"array", "bool", "int", "object", "string"}
FUNCTIONS = {"concat", "guid", "reference", "resourceGroup", "resourceId", "subscription", "subscriptionResourceId"}


class Models:
    """The classes and enumerations of one package at one version."""

    def __init__(self, folder, version):
        self.folder = folder
        models = folder / version / "models"
        self.classes, self.enums = {}, {}
        for file in sorted(models.glob("_*.py")):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    self._add(node)
        if not self.classes:
            raise SystemExit(f"no models in {models}")
        self.version = version.removeprefix("v").replace("_", "-") or self._default_version()

    def _default_version(self):
        for file in ("_configuration.py", "_client.py"):
            path = self.folder / file
            found = re.search(r'"api_version", "([0-9a-z-]+)"', path.read_text(encoding="utf-8")) if path.exists() else None
            if found:
                return found.group(1)
        raise SystemExit(f"no version in {self.folder}")

    def _add(self, node):
        if any("Enum" in ast.unparse(base) for base in node.bases):
            self.enums[node.name] = {
                entry.value.value
                for entry in node.body
                if isinstance(entry, ast.Assign) and isinstance(entry.value, ast.Constant)
            }
        else:
            self.classes[node.name] = node

    def fields(self, name):
        """The fields of a class by their names on the wire: (type, required, read-only), types as in the newer form. Dots part nested fields."""
        node = self.classes[name]
        fields = {}
        for base in node.bases:
            base = ast.unparse(base).removeprefix("_models.").split(".")[-1]
            if base in self.classes:
                fields.update(self.fields(base))
        old = {entry.targets[0].id: entry.value for entry in node.body if isinstance(entry, ast.Assign) and isinstance(entry.targets[0], ast.Name)}
        if "_attribute_map" in old:
            fields.update(self._older(node, ast.literal_eval(old["_attribute_map"]), ast.literal_eval(old.get("_validation", ast.Constant({})))))
            return fields
        for entry in node.body:
            if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name) and isinstance(entry.value, ast.Call):
                fields.update(self._newer(entry))
        return fields

    def _older(self, node, attributes, validation):
        documented = ast.get_docstring(node) or ""
        for attribute, how in attributes.items():
            rules = validation.get(attribute, {})
            ty = how["type"]
            # Enumerations are plain text here; only the description names them.
            named = re.search(rf":vartype {attribute}: str or\s+~[\w.]*\.(\w+)", documented)
            if ty == "str" and named and named.group(1) in self.enums:
                ty = "enum:" + named.group(1)
            key = how["key"].replace("\\\\.", "\0").replace("\\.", "\0")
            yield key, (ty, rules.get("required", False), rules.get("readonly", False))

    def _newer(self, entry):
        keywords = {keyword.arg: keyword.value for keyword in entry.value.keywords}
        wire = keywords["name"].value if "name" in keywords else entry.target.id
        visibility = ast.literal_eval(keywords["visibility"]) if "visibility" in keywords else ["read", "create"]
        text = ast.unparse(entry.annotation)
        optional = text.startswith("Optional[")
        read_only = not {"create", "update"} & set(visibility)
        yield wire, (text[len("Optional["):-1] if optional else text, not optional and not read_only, read_only)

    def subtype(self, name, value):
        """The class that a discriminator's value stands for, or the class itself."""
        node = self.classes[name]
        for entry in node.body:
            if isinstance(entry, ast.Assign) and ast.unparse(entry.targets[0]) == "_subtype_map":
                for attribute, names in ast.literal_eval(entry.value).items():
                    wire = next((key for key in self.fields(name) if key.replace("_", "").lower() == attribute.replace("_", "").lower()), attribute)
                    chosen = value.get(wire) if isinstance(value, dict) else None
                    if chosen not in names:
                        return None, wire, sorted(names)
                    return names[chosen], wire, []
        return name, None, []


def is_expression(value):
    return isinstance(value, str) and value.startswith("[") and value.endswith("]") and not value.startswith("[[")


class Checker:
    def __init__(self, models, site):
        self.site, self.cache, self.findings = site, models, []

    def say(self, level, where, what):
        self.findings.append({"file": self.file, "level": level, "where": where, "what": what})

    def models(self, package, version):
        key = (package, version)
        if key not in self.cache:
            self.cache[key] = Models(self.site / "azure" / "mgmt" / package, version)
        return self.cache[key]

    def template(self, file, body):
        self.file = file
        for key in sorted(set(body) - TOP_LEVEL):
            self.say("error", key, "a template has no such part")
        if body.get("languageVersion") != "2.0" or not isinstance(body.get("resources"), dict):
            self.say("error", "languageVersion", "resources have names only in language version 2.0")
            return
        names = set(body["resources"])
        for name, resource in body["resources"].items():
            self.resource(name, resource, names)
        for name, output in body.get("outputs", {}).items():
            if output.get("type") not in OUTPUT_TYPES:
                self.say("error", f"outputs.{name}", f"no type of output: {output.get('type')!r}")

    def requests(self, file, requests):
        self.file = file
        for request in requests:
            path = request["path"].split("?")[0]
            for method, end, (package, version, cls) in REQUESTS:
                if request["method"] == method and re.search(end + "$", path.lower()):
                    self.object(f"{method} {path}", request["body"], self.models(package, version), cls)
                    break
            else:
                self.say("error", f"{request['method']} {path}", "no models of what is sent there")

    def resource(self, name, resource, names):
        ty = resource.get("type")
        if ty not in TYPES:
            self.say("error", name, f"no models of the type {ty!r}")
            return
        package, version, cls = TYPES[ty]
        models = self.models(package, version)
        if resource.get("apiVersion") != models.version:
            self.say("error", f"{name}.apiVersion", f"the models are of {models.version}, not of {resource.get('apiVersion')!r}")
        full = resource.get("name")
        segments = ty.count("/")
        if not isinstance(full, str) or not (is_expression(full) or full.count("/") + 1 == segments):
            self.say("error", f"{name}.name", f"a name of {ty} has {segments} parts: {full!r}")
        for other in resource.get("dependsOn", []):
            if other not in names:
                self.say("error", f"{name}.dependsOn", f"there is no resource {other!r}")
        self.expressions(name, resource, names)
        body = {key: value for key, value in resource.items() if key not in ENVELOPE}
        self.object(name, body, models, cls)

    def expressions(self, where, value, names):
        """Every expression's functions are known, its brackets fit, and what it refers to is there."""
        if isinstance(value, dict):
            for key, inner in value.items():
                self.expressions(where, key, names)
                self.expressions(f"{where}.{key}", inner, names)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self.expressions(f"{where}[{index}]", inner, names)
        elif is_expression(value):
            plain = re.sub(r"'(?:[^']|'')*'", "''", value[1:-1])
            if plain.count("(") != plain.count(")") or "'" in plain.replace("''", ""):
                self.say("error", where, f"brackets or quotes do not fit: {value}")
            for function in re.findall(r"([A-Za-z]+)\(", plain):
                if function not in FUNCTIONS:
                    self.say("error", where, f"no known function: {function}")
            for other in re.findall(r"reference\('([^']*)'\)", value):
                if other not in names:
                    self.say("error", where, f"there is no resource {other!r}")

    def object(self, where, value, models, cls):
        if not isinstance(value, dict):
            self.say("error", where, f"must be an object ({cls})")
            return
        cls, discriminator, known = models.subtype(cls, value)
        if cls is None:
            self.say("error", f"{where}.{discriminator}", f"must be one of {', '.join(known)}")
            return
        self.fields(where, value, models, models.fields(cls), cls)

    def fields(self, where, value, models, fields, cls):
        """`fields` by names with dots, which part objects that have no class of their own."""
        own, nested = {}, {}
        for key, rule in fields.items():
            first, dot, rest = key.partition(".")
            if dot:
                nested.setdefault(first, {})[rest] = rule
            else:
                own[key.replace("\0", ".")] = rule
        for key, inner in value.items():
            here = f"{where}.{key}"
            if key in nested:
                if isinstance(inner, dict):
                    self.fields(here, inner, models, nested[key], cls)
                else:
                    self.say("error", here, "must be an object")
            elif key not in own:
                self.say("error", here, f"{cls} has no such field")
            elif own[key][2]:
                self.say("error", here, f"only the service sets it ({cls})")
            else:
                self.value(here, inner, models, own[key][0])
        for key, (_, required, _) in own.items():
            if required and key not in value:
                self.say("error", where, f"{cls} needs {key}")
        for key, inner in nested.items():
            if key not in value and any(required for _, required, _ in inner.values()):
                self.say("error", where, f"{cls} needs {key}")

    def value(self, where, value, models, ty):
        ty = ty.strip().removeprefix("_models.").strip("\"'").removeprefix("_models.")
        if value is None:
            self.say("error", where, "is null")
        elif ty.startswith("Optional["):
            self.value(where, value, models, ty[9:-1])
        elif ty.startswith("Union["):
            self.enum(where, value, models, [part.strip().strip("\"'").removeprefix("_models.") for part in ty[6:-1].split(",")])
        elif ty.startswith("enum:"):
            self.enum(where, value, models, ["str", ty[5:]])
        elif ty.startswith("Literal["):
            allowed = ast.literal_eval(f"[{ty[8:-1]}]")
            if value not in allowed:
                self.say("error", where, f"must be one of {allowed}")
        elif ty.startswith(("list[", "[")):
            inner = ty[5:-1] if ty.startswith("list[") else ty[1:-1]
            if isinstance(value, list):
                for index, entry in enumerate(value):
                    self.value(f"{where}[{index}]", entry, models, inner)
            elif not is_expression(value):
                self.say("error", where, "must be a list")
        elif ty.startswith(("dict[", "{")):
            inner = ty[5:-1].split(",", 1)[1] if ty.startswith("dict[") else ty[1:-1]
            if isinstance(value, dict):
                for key, entry in value.items():
                    self.value(f"{where}.{key}", entry, models, inner)
            else:
                self.say("error", where, "must be an object")
        elif ty in models.classes:
            self.object(where, value, models, ty)
        elif ty in models.enums:
            self.enum(where, value, models, ["str", ty])
        else:
            self.scalar(where, value, ty)

    def enum(self, where, value, models, parts):
        if not isinstance(value, str):
            self.say("error", where, "must be text")
            return
        for part in parts:
            if part in models.enums and not is_expression(value) and value not in models.enums[part]:
                self.say("warning", where, f"{value!r} is none of {', '.join(sorted(models.enums[part]))}")

    def scalar(self, where, value, ty):
        if is_expression(value) or ty in ("Any", "object", "JSON"):
            return
        if ty == "bool":
            right = isinstance(value, bool)
        elif ty in ("int", "float"):
            right = isinstance(value, int if ty == "int" else (int, float)) and not isinstance(value, bool)
        elif ty in ("datetime.timedelta", "duration"):
            right = isinstance(value, str) and re.fullmatch(r"P(?=.)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", value) is not None
        elif ty in ("str", "datetime.datetime", "iso-8601", "bytes"):
            right = isinstance(value, str)
        else:
            self.say("error", where, f"the models have a type that this check does not know: {ty}")
            return
        if not right:
            self.say("error", where, f"must be {ty}: {value!r}")


def main():
    told = json.load(sys.stdin)
    checker = Checker({}, pathlib.Path(sysconfig.get_paths()["purelib"]))
    for name, body in told["templates"].items():
        checker.template(name, body)
    checker.requests("requests", told["requests"])
    json.dump(checker.findings, sys.stdout)


main()
