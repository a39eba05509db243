"""Data sets for `entente policy bench` (policies, links, entities, requests), from a seed.

  python3 bench/policy_sets.py FOLDER [--seed N]

coalition: missions with roles and apps, documents with labels, four forbids on clearance, releasability, origin and
risk, and permits per mission, role and action with conditions on device, hour and network. drive (shared documents and
folders), code (repositories of organisations and teams) and lists (shared task lists) are as in the OOPSLA 2024
evaluation of Cedar: the first two with policies of attributes, and with templates and their links.
"""
import argparse
import json
import pathlib
import random

NATIONS = ["XAA", "XBB", "XCC", "XDD", "XEE", "XFF", "XGG", "XHH", "XII", "XJJ"]
ACTIONS = ["read", "write", "share", "print", "admin"]
FORBIDS = """
forbid(principal, action, resource) unless { principal.clearance >= resource.classification };
forbid(principal, action, resource) unless { resource.releasable.contains(principal.nation) };
forbid(principal, action in [Action::"share", Action::"print"], resource)
  when { resource.origin_controlled && resource.originator != principal.nation };
forbid(principal, action, resource) when { context.risk > 70 || principal.assurance < 2 };
"""
DRIVE = """
permit(principal, action == Action::"read", resource) when { resource.public };
permit(principal, action in [Action::"read", Action::"write", Action::"share"], resource)
  when { resource in principal.owned_documents || resource in principal.owned_folders };
permit(principal, action == Action::"change_owner", resource) when { principal.owned_documents.contains(resource) };
permit(principal, action == Action::"create", resource) when { principal.owned_folders.contains(resource) };
"""
VIEWED = 'permit(principal, action == Action::"read", resource) when { resource in principal.viewed };'
GRADES = ["read", "triage", "write", "maintain", "admin"]  # each may do what those before it may
OWNED = "\n".join(
    f'permit(principal, action in Action::"{grade}", resource) when {{ principal in resource.owner.may_{grade} }};'
    for grade in ("read", "write", "admin")
)
GRANTED = "\n".join(
    f'permit(principal, action in Action::"{grade}", resource) when {{ principal in resource.may_{grade} }};'
    for grade in GRADES
)
GRANTS = "\n".join(
    f'permit(principal in ?principal, action in Action::"{grade}", resource == ?resource);'
    for grade in GRADES
)
LISTS = """
permit(principal, action in [Action::"create", Action::"all"], resource == Place::"here");
permit(principal, action, resource) when { resource has owner && resource.owner == principal };
permit(principal, action == Action::"get", resource)
  when { principal in resource.readers || principal in resource.editors };
permit(principal, action in [Action::"update", Action::"add", Action::"tick", Action::"drop"], resource)
  when { principal in resource.editors };
"""
TEMPLATE = 'permit(principal in ?principal, action == Action::"read", resource in ?resource);'


def uid(kind, name):
    return {"type": kind, "id": name}


def ref(kind, name):
    return {"__entity": uid(kind, name)}


def entity(kind, name, attributes=None, parents=()):
    return {"uid": uid(kind, name), "attrs": attributes or {}, "parents": list(parents)}


def actions(names, group=None):
    out = [entity("Action", group)] if group else []
    return out + [entity("Action", name, parents=[uid("Action", group)] if group else []) for name in names]


def permit(number, missions):
    mission, turn = number % missions, number // missions
    role = ("member", "lead")[(turn + turn // 2) % 2]
    what = (
        'action == Action::"read"', 'action in [Action::"read", Action::"write"]', 'action == Action::"share"',
        'action in Action::"any"', 'action == Action::"print"', 'action == Action::"write"',
    )[turn % 6]
    when = (
        f"when {{ context.risk <= {20 + turn * 7 % 60} }}",
        f"when {{ principal.device >= {10 + turn % 50} && context.hour >= 6 && context.hour < 22 }}",
        f'when {{ ip(context.from).isInRange(ip("10.{mission % 200}.0.0/16")) }}',
        "",
    )[(mission + turn) % 4]
    return f'permit(principal in Role::"m{mission}-{role}", {what}, resource in App::"a{mission}") {when};'


def coalition(policies, seed, people=200, documents=400):
    r = random.Random(seed)
    missions = max(4, policies // 8)
    entities = actions(ACTIONS, "any")
    for m in range(missions):
        entities += [entity("Mission", f"m{m}"), entity("App", f"a{m}")]
        entities += [entity("Role", f"m{m}-{role}", parents=[uid("Mission", f"m{m}")]) for role in ("lead", "member")]
    missions_of, documents_of = {}, {}
    for i in range(people):
        mine = [(r.randrange(missions), r.choice(["lead", "member", "member"])) for _ in range(r.randint(1, 4))]
        missions_of[f"p{i}"] = [m for m, _ in mine]
        attributes = {"nation": r.choice(NATIONS), "clearance": r.randint(0, 4), "assurance": r.randint(1, 4),
                      "device": r.randint(0, 100)}
        entities.append(entity("Person", f"p{i}", attributes, [uid("Role", f"m{m}-{role}") for m, role in mine]))
    for i in range(documents):
        origin, mission = r.choice(NATIONS), r.randrange(missions)
        documents_of.setdefault(mission, []).append(f"d{i}")
        attributes = {"classification": r.randint(0, 4), "originator": origin, "origin_controlled": r.random() < 0.1,
                      "releasable": sorted({origin, *r.sample(NATIONS, r.randint(1, 6))})}
        entities.append(entity("Document", f"d{i}", attributes, [uid("App", f"a{mission}")]))
    requests = []
    for _ in range(500):
        person = f"p{r.randrange(people)}"
        near = [d for m in missions_of[person] for d in documents_of.get(m, [])]
        document = r.choice(near) if near and r.random() < 0.7 else f"d{r.randrange(documents)}"
        context = {"risk": r.randint(0, 90), "hour": r.randint(0, 23), "from": f"10.{r.randrange(200)}.1.7"}
        requests.append({"principal": uid("Person", person), "action": uid("Action", r.choice(ACTIONS)),
                         "resource": uid("Document", document), "context": context})
    text = FORBIDS + "\n".join(permit(i, missions) for i in range(policies - 4))
    return {"policies": text, "links": [], "entities": entities, "requests": requests}


def drive(size, seed, links=0):
    r = random.Random(seed)
    near = 2.5 / max(size, 50)  # so that everybody stands under as many others, however many there are

    def some(kind, name, among, chance=near):
        return [uid(kind, f"{name}{i}") for i in range(among) if r.random() < chance]

    entities = actions(["read", "write", "share", "change_owner", "create"])
    entities += [entity("Group", f"g{i}") for i in range(size)]
    for i in range(size):
        attributes = {"owned_documents": [{"__entity": one} for one in some("Document", "d", size)],
                      "owned_folders": [{"__entity": one} for one in some("Folder", "f", size)]}
        if not links:
            attributes["viewed"] = ref("View", f"u{i}")
        entities += [entity("User", f"u{i}", attributes, some("Group", "g", size)), entity("View", f"u{i}")]
    viewed = (lambda: []) if links else (lambda: some("View", "u", size))
    for i in range(size):
        entities.append(entity("Document", f"d{i}", {"public": r.random() < 0.5}, some("Folder", "f", size) + viewed()))
        entities.append(entity("Folder", f"f{i}", {}, some("Folder", "f", i) + viewed()))
    chosen = set()
    while len(chosen) < links:
        who, what = r.choice([("User", "u"), ("Group", "g")]), r.choice([("Document", "d"), ("Folder", "f")])
        chosen.add((who[0], f"{who[1]}{r.randrange(size)}", what[0], f"{what[1]}{r.randrange(size)}"))
    requests = []
    for _ in range(500):
        action = r.choice(["read", "write", "share", "change_owner", "create"])
        kind = ("Folder", "f") if action == "create" else ("Document", "d")
        requests.append({"principal": uid("User", f"u{r.randrange(size)}"), "action": uid("Action", action),
                         "resource": uid(kind[0], f"{kind[1]}{r.randrange(size)}"), "context": {}})
    made = [{"principal": uid(a, b), "resource": uid(c, d)} for a, b, c, d in sorted(chosen)]
    return {"policies": (TEMPLATE if links else VIEWED) + DRIVE, "links": made, "entities": entities,
            "requests": requests}


# A grant is a parent of those who have it, or a link of a template.
def code(size, seed, links=0):
    r = random.Random(seed)
    near = 2.5 / max(size, 50)
    entities = [entity("Action", grade, parents=[uid("Action", above)] if above else [])
                for grade, above in zip(GRADES, [*GRADES[1:], None])]

    def some(kind, among):
        return [uid(kind, f"{kind[0].lower()}{i}") for i in range(among) if r.random() < near]

    parents = {("User", i): some("Team", size) + some("Organisation", size) for i in range(size)}
    parents |= {("Team", i): some("Team", i) for i in range(size)}
    for i in range(size):
        attributes = {"owner": ref("Organisation", f"o{r.randrange(size)}")}
        for grade in GRADES if not links else []:
            attributes[f"may_{grade}"] = ref("Grant", f"r{i}-{grade}")
            entities.append(entity("Grant", f"r{i}-{grade}"))
            for who in r.sample(sorted(parents), 2):
                parents[who].append(uid("Grant", f"r{i}-{grade}"))
        entities.append(entity("Repository", f"r{i}", attributes))
    for i in range(size):
        grants = [f"o{i}-{grade}" for grade in ("read", "write", "admin")]
        entities += [entity("Grant", grant) for grant in grants]
        attributes = {f"may_{grant.split('-')[1]}": ref("Grant", grant) for grant in grants}
        above = [uid("Grant", grant) for grant in grants if r.random() < 0.4]
        entities.append(entity("Organisation", f"o{i}", attributes, above))
    entities += [entity(kind, f"{kind[0].lower()}{i}", {}, above) for (kind, i), above in parents.items()]
    made = []
    for i in range(links):
        who = r.choice(["User", "Team", "Organisation"])
        whom, what = uid(who, f"{who[0].lower()}{r.randrange(size)}"), uid("Repository", f"r{r.randrange(size)}")
        made.append({"template": f"policy{i % len(GRADES)}", "principal": whom, "resource": what})
    requests = [{"principal": uid("User", f"u{r.randrange(size)}"), "action": uid("Action", r.choice(GRADES)),
                 "resource": uid("Repository", f"r{r.randrange(size)}"), "context": {}} for _ in range(500)]
    return {"policies": (GRANTS if links else GRANTED) + OWNED, "links": made, "entities": entities,
            "requests": requests}


def lists(size, seed):
    r = random.Random(seed)
    near = 2.5 / max(size, 50)
    here = uid("Place", "here")
    names = ["create", "all", "get", "update", "delete", "add", "tick", "drop", "share"]
    entities = actions(names) + [entity("Place", "here")]
    for i in range(size):
        above = [uid("Team", f"t{t}") for t in range(i) if r.random() < near]
        entities.append(entity("Team", f"t{i}", {}, [*above, here]))
        mine = [uid("Team", f"t{t}") for t in range(size) if r.random() < near]
        entities.append(entity("User", f"u{i}", {}, [*mine, here]))
        tasks = [{"name": f"task {n}", "state": r.choice(["open", "done"])} for n in range(r.randint(0, 4))]
        attributes = {"owner": ref("User", f"u{r.randrange(size)}"), "name": f"list {i}", "tasks": tasks,
                      "readers": ref("Team", f"t{r.randrange(size)}"), "editors": ref("Team", f"t{r.randrange(size)}")}
        entities.append(entity("List", f"l{i}", attributes, [here]))
    requests = []
    for _ in range(500):
        action = r.choice(names)
        resource = here if action in ("create", "all") else uid("List", f"l{r.randrange(size)}")
        requests.append({"principal": uid("User", f"u{r.randrange(size)}"), "action": uid("Action", action),
                         "resource": resource, "context": {}})
    return {"policies": LISTS, "links": [], "entities": entities, "requests": requests}


def write_all(folder, seed):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sets = {f"drive_{n}": drive(n, seed) for n in (5, 50)}
    sets |= {f"drive_links_{n}": drive(50 if n <= 1000 else 150, seed, n) for n in (50, 1000, 10_000)}
    sets |= {f"code_{n}": code(n, seed) for n in (5, 50)}
    sets |= {f"code_links_{n}": code(50 if n <= 1000 else 150, seed, n) for n in (50, 1000, 10_000)}
    sets |= {f"lists_{n}": lists(n, seed) for n in (5, 50)}
    sets |= {f"coalition_{n}": coalition(n, seed) for n in (50, 200, 1000, 10_000)}
    sets["coalition_10000_large"] = coalition(10_000, seed, 65_000, 130_000)
    for name, one in sets.items():
        (folder / f"{name}.json").write_text(json.dumps({"name": name, **one}))
    return [folder / f"{name}.json" for name in sets]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print("\n".join(str(path) for path in write_all(given.folder, given.seed)))
