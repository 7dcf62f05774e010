"""What no validator of others knows: that the files of deploy/ agree with each other, with the documents and with the metrics.

    check.py FOLDER METRICS    METRICS is the text of GET /metrics; "-" leaves the comparison out
"""

import json
import re
import sys
from pathlib import Path

import yaml

deploy, metrics = Path(sys.argv[1]), sys.argv[2]
root = deploy.parent
faults = []


def anchors(page):
    """The links that a page offers, made as GitHub and GitLab make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def runbooks(rules):
    for rule in rules:
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        if not (root / page).is_file() or anchor not in anchors(root / page):
            faults.append(f"{rule['alert']}: there is no {page}#{anchor}")


def names(text):
    return set(re.findall(r"\b(?:rosterd|process)_[a-z_]+\b", re.sub(r"\{[^}]*\}", "", text)))


def queries(panels):
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


def places(panels):
    """Each panel has an id and a place of its own."""
    taken, ids = set(), set()
    for panel in panels:
        if panel["id"] in ids:
            faults.append(f"two panels have the id {panel['id']}")
        ids.add(panel["id"])
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        if cells & taken or at["x"] + at["w"] > 24:
            faults.append(f"panel {panel['title']!r} lies over another, or beyond the edge")
        taken |= cells


def manifests(folder):
    found = [yaml.safe_load(file.read_text()) for file in sorted(folder.glob("*.yaml"))]
    return {one["kind"]: one for one in found}


def kubernetes(of):
    pod = of["Deployment"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    labels, ports = pod["metadata"]["labels"].items(), {port["name"]: port for port in container["ports"]}
    selectors = [
        of["Deployment"]["spec"]["selector"]["matchLabels"],
        of["Service"]["spec"]["selector"],
        of["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        of["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    if any(not selector.items() <= labels for selector in selectors):
        faults.append("a selector does not find the pods")
    asked = [container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
    asked += [port["targetPort"] for port in of["Service"]["spec"]["ports"]]
    asked += [port["port"] for rule in of["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]]
    faults.extend(f"no port is named {port}" for port in asked if port not in ports)
    scraped = pod["metadata"]["annotations"]["prometheus.io/port"]
    if scraped != str(ports["admin"]["containerPort"]):
        faults.append("Prometheus is sent to a port that is not the admin port")
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    if volumes["settings"]["configMap"]["name"] != of["ConfigMap"]["metadata"]["name"]:
        faults.append("the settings are of another ConfigMap")
    if volumes["secrets"]["secret"]["secretName"] != of["Secret"]["metadata"]["name"]:
        faults.append("the secrets are of another Secret")
    at = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    given = {entry["name"]: entry["value"] for entry in container["env"]}
    files = {f"{at['secrets']}/{key}" for key in of["Secret"]["stringData"]} | {f"{at['settings']}/{key}" for key in of["ConfigMap"]["data"]}
    faults.extend(f"{name} names no file" for name, value in given.items() if value.startswith("/") and value not in files)
    resources = of["Kustomization"]["resources"]
    faults.extend(f"kustomization.yaml names {name}, which is not there" for name in resources if not (deploy / "kubernetes" / name).is_file())
    known = (root / "src/config.default.toml").read_text() + (root / "docs/operations.md").read_text()
    faults.extend(f"rosterd knows no variable {name}" for name in given if name not in known)
    (Path(sys.argv[3]) / "rosterd.toml").write_text(of["ConfigMap"]["data"]["rosterd.toml"])


rules = yaml.safe_load((deploy / "prometheus/rosterd.rules.yml").read_text())["groups"][0]["rules"]
board = json.loads((deploy / "grafana/rosterd.json").read_text())
runbooks(rules)
places(board["panels"])
kubernetes(manifests(deploy / "kubernetes"))

expressions = queries(board["panels"])
if metrics != "-":
    shown = names(re.sub(r"^#.*$", "", Path(metrics).read_text(), flags=re.MULTILINE))
    used = set().union(*(names(text) for text in [*expressions, *(rule["expr"] for rule in rules)]))
    faults.extend(f"{name} is asked for, and the binary does not show it" for name in sorted(used - shown))
    unseen = {name for name in shown - used if not name.endswith(("_bucket", "_sum", "_count"))}
    print(f"{len(used)} metrics are used; nobody looks at {', '.join(sorted(unseen)) or 'none of the others'}")

# The queries of the board, as rules that promtool can read.
for variable, value in (("$__rate_interval", "5m"), ("$job", "rosterd")):
    expressions = [text.replace(variable, value) for text in expressions]
board_rules = [{"record": f"board:query{number}", "expr": text} for number, text in enumerate(expressions)]
(Path(sys.argv[3]) / "board.rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": board_rules}]}))

for fault in faults:
    print(fault)
sys.exit(bool(faults))
