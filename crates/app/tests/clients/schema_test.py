"""Schemathesis over every operation of the OpenAPI document: nothing fails, and every answer is as documented.

The cases are derived from the document alone, so each run sends the same. Three users take part: one whom the examples of the document
name, one who calls, and one who calls with ids of their own and is logged out in the end.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

URL = sys.argv[1]
PASSWORD = "correct horse battery"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# How many cases of an operation are made up beside those that its schema suggests.
MADE_UP = 15
DEADLINE_SECONDS = 120
# What ends the session of the caller.
ENDS = ("POST /auth/logout", "DELETE /auth/sessions")


def post(path, body):
    data = json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def newcomer(phone):
    user = post("/user/create", {"phone": phone, "password": PASSWORD})
    return user["id"], post("/auth/login", {"username": phone, "password": PASSWORD})["access_token"]


def operations():
    with urllib.request.urlopen(URL + "/openapi.json", timeout=30) as reply:
        document = json.load(reply)
    return {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}


def check(token, chosen, ids=None):
    """Tries these operations as the owner of the token, and returns how many cases there were."""
    program = os.path.join(os.path.dirname(sys.executable), "st")
    command = [program, "run", URL + "/openapi.json", "--phases", "examples,coverage,fuzzing", "--checks", ",".join(CHECKS)]
    command += ["--generation-deterministic", "--max-examples", str(MADE_UP), "--no-shrink", "--continue-on-failure", "--no-color"]
    command += ["--request-timeout", "30", "--header", f"Authorization: Bearer {token}"]
    for operation in sorted(chosen):
        command += ["--include-name", operation]
    with tempfile.TemporaryDirectory() as folder:
        if ids is not None:
            with open(os.path.join(folder, "schemathesis.toml"), "w", encoding="utf-8") as config:
                config.write(f'[parameters]\n"path.id" = {ids}\n')
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    report = run.stdout + run.stderr
    assert run.returncode == 0, report
    # Not one operation was left out.
    assert int(re.search(r"Tested: (\d+)", report)[1]) == len(chosen), report
    return int(re.search(r"(\d+) generated, (\d+) passed", report)[2])


def main():
    begun = time.monotonic()
    everything = operations()
    assert set(ENDS) < everything, everything
    newcomer("+31612345601")
    _, token = newcomer("+31612345602")
    own, ending = newcomer("+31612345603")
    cases = check(token, everything - set(ENDS))
    cases += check(ending, {"GET /user/{id}", "PATCH /user/{id}"}, ids=own)
    cases += check(ending, set(ENDS))
    assert cases > 500, cases
    print(f"ok   {len(everything)} operations, {cases} cases in {time.monotonic() - begun:.0f} s")


main()
