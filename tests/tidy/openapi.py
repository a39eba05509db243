#!/usr/bin/env python3
"""docs/openapi.json describes exactly the routes of src/node/api_*.cpp, and every reference in it leads somewhere."""
import json
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
asked = (root / "src/node/api.cpp").read_text()
served = set()
faults = []
for subject in sorted((root / "src/node").glob("api_*.cpp")):
    table = subject.read_text()
    routes = re.findall(r'\{"([A-Z]+)",\s*"(/v1[^"]*)",\s*&\w+::', table)
    # What a change would come to is asked at its path (Api::call).
    routes += [("GET", f"{path}/preview") for path in re.findall(r'\{"POST",\s*"(/v1[^"]*)",\s*&\w+::\w+,\s*preview\}', table)]
    faults += [f"src/node/{subject.name}: another serves {m} {p}" for m, p in routes if (m, p) in served]
    if routes and not re.search(rf"\b{subject.stem.removeprefix('api_')}_routes\b", asked):
        faults.append(f"src/node/{subject.name}: src/node/api.cpp does not ask for its routes")
    faults += [f"src/node/{subject.name}: serves {m} {p} twice" for m, p in sorted(set(routes)) if routes.count((m, p)) > 1]
    served |= set(routes)
api = json.loads((root / "docs/openapi.json").read_text())
described = {
    (method.upper(), re.sub(r"\{[^}]*\}", "{}", path))
    for path, calls in api["paths"].items()
    for method in calls
    if method != "parameters"
}
faults += [f"src/node/api_*.cpp serve {m} {p}, docs/openapi.json does not say so" for m, p in sorted(served - described)]
faults += [f"docs/openapi.json describes {m} {p}, src/node/api_*.cpp do not serve it" for m, p in sorted(described - served)]


def references(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


for reference in sorted(set(references(api))):
    found = api
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    if found is None:
        faults.append(f"docs/openapi.json: {reference} leads nowhere")
# Of each look the node says where it could not be written down (Api::call).
for path, calls in api["paths"].items():
    shown = calls["get"]["responses"]["200"]["content"]["application/json"]["schema"] if "get" in calls else None
    if shown is not None and {"$ref": "#/components/schemas/Unrecorded"} not in shown.get("allOf", []):
        faults.append(f"docs/openapi.json: what GET {path} answers may say `unrecorded`, and the schema does not")
for fault in faults:
    print(fault)
print(f"openapi: {len(faults)} faults in {len(served)} routes")
sys.exit(1 if faults or not served else 0)
