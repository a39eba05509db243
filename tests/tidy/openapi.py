#!/usr/bin/env python3
"""docs/openapi.json describes exactly the routes of src/node/api.cpp, and every reference in it leads somewhere."""
import json
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
table = (root / "src/node/api.cpp").read_text()
served = set(re.findall(r'\{"([A-Z]+)",\s*"(/v1[^"]*)",\s*&Api::', table))
# What a change would come to is asked at its path (Api::call).
served |= {("GET", f"{path}/preview") for path in re.findall(r'\{"POST",\s*"(/v1[^"]*)",\s*&Api::\w+,\s*preview\}', table)}
api = json.loads((root / "docs/openapi.json").read_text())
described = {
    (method.upper(), re.sub(r"\{[^}]*\}", "{}", path))
    for path, calls in api["paths"].items()
    for method in calls
    if method != "parameters"
}
faults = [f"src/node/api.cpp serves {m} {p}, docs/openapi.json does not say so" for m, p in sorted(served - described)]
faults += [f"docs/openapi.json describes {m} {p}, src/node/api.cpp does not serve it" for m, p in sorted(described - served)]


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
