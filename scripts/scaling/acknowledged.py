#!/usr/bin/env python3
"""Seals tubes at a steady rate on several nodes while the store's primary is lost, measures what
the devices saw, and looks afterwards for every tube that was acknowledged.

A device that is not answered 2xx sends the same tube again to the next node, as a real one does.
Exit code 2 when an acknowledged tube is lost, doubled or altered.
"""

import argparse
import http.client
import json
import os
import shlex
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections import Counter
from urllib.parse import urlsplit

DEVICES = 16
CODES = 60_000
GIVE_UP_S = 120
# After so long nothing will fail any more: the change of the primary was not noticed at all.
QUIET_S = 30


def check(text, alphabet):
    """The check character of ISO/IEC 7064, pure systems of radix 2."""
    total = 0
    for character in text:
        total = (total + alphabet.index(character)) * 2 % len(alphabet)
    return alphabet[(len(alphabet) + 1 - total) % len(alphabet)]


def tube_code(number):
    body = f"T{number:010}"
    return body + check(body, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*")


def resident_id(number):
    """An ID number that belongs to nobody: region 999999 was never assigned."""
    serial, day = number % 1000, number // 1000
    body = f"999999{1950 + day // 336 % 60}{1 + day // 28 % 12:02}{1 + day % 28:02}{serial:03}"
    return body + check(body, "0123456789X")


def stamp(at=None):
    at = time.time() if at is None else at
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1e6):06}Z"


class Caller:
    """Somebody with a token, over a connection for each node that is kept open."""

    def __init__(self, token):
        self.token, self.open = token, {}

    def send(self, node, method, path, body=None):
        """Status, headers and body; raises OSError or HTTPException where nobody answered."""
        connection = self.open.get(node)
        if connection is None:
            connection = self.open[node] = http.client.HTTPConnection(urlsplit(node).netloc, timeout=60)
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        if method == "POST":
            headers["idempotency-key"] = str(uuid.uuid4())
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            del self.open[node]
            raise

    def must(self, node, method, path, body=None):
        status, _, text = self.send(node, method, path, body)
        if status >= 300:
            raise SystemExit(f"{method} {path} answered {status}: {text.decode()}")
        return json.loads(text)


def make_city(node):
    administrator, officer = Caller(os.environ["ADMINISTRATOR"]), Caller(os.environ["OFFICER"])
    now = time.time()
    administrator.must(node, "PUT", "/v1/sites/S01", {"name": "North gate", "area": "Fengtai"})
    officer.must(node, "PUT", "/v1/rounds/R01", {
        "name": "June", "area": "Fengtai", "specimen": "oropharyngeal swab", "tube_size": 10,
        "starts_at": stamp(now - 86400), "ends_at": stamp(now + 86400), "result_hours": 24})
    officer.must(node, "PUT", "/v1/sessions/W01", {
        "round": "R01", "site": "S01", "team": "Team 1",
        "opens_at": stamp(now - 3600), "closes_at": stamp(now + 36000)})
    allotted = administrator.must(node, "POST", "/v1/allotments", {"kind": "tube", "count": CODES, "place": "S01"})
    assert allotted["first_code"] == tube_code(0), allotted["first_code"]


class Load:
    def __init__(self, nodes, rate):
        self.nodes, self.rate = nodes, rate
        self.lock, self.over, self.number = threading.Lock(), threading.Event(), 0
        self.sent = {}     # code: body
        self.known = {}    # code: what was answered 2xx
        self.answers = []  # begun, ended, node, status or what broke, problem code, retry-after
        self.fresh = {}    # code: whether it was 201, 200 or both

    def next(self):
        with self.lock:
            number, self.number = self.number, self.number + 1
        now = time.time()
        event = uuid.UUID(int=(int(now * 1000) << 80) | (7 << 76) | (2 << 62) | number)
        member = {"document": {"type": "resident_id", "number": resident_id(number)},
                  "name": f"Invented {number:05}", "taken_at": stamp(now - 60)}
        body = {"event_id": str(event), "session": "W01", "size": 1, "swab_count": 1, "underfilled": False,
                "sealed_at": stamp(now - 1), "device": {"id": "D01", "sequence": number}, "members": [member]}
        code = tube_code(number)
        self.sent[code] = body
        return code

    def put(self, caller, node, code):
        """Sends a tube once; gives seconds to wait before it is sent again, none when it is stored."""
        body = self.sent[code]
        # Only the device's clock has gone on.
        body["device"]["time"] = stamp()
        begun = time.time()
        try:
            status, headers, text = caller.send(node, "PUT", f"/v1/tubes/{code}", body)
        except (OSError, http.client.HTTPException) as error:
            self.answers.append((begun, time.time(), node, type(error).__name__, "", ""))
            return 0.2
        wait, problem = headers.get("retry-after", ""), "" if status < 300 else json.loads(text).get("code")
        self.answers.append((begun, time.time(), node, status, problem, wait))
        if status in (200, 201):
            answer = json.loads(text)
            if self.known.setdefault(code, answer) != answer:
                raise SystemExit(f"{code} was answered otherwise before")
            self.fresh.setdefault(code, []).append(status)
            return None
        if status < 500:
            raise SystemExit(f"{code} was refused: {status} {text.decode()}")
        return float(wait or 0.5)

    def device(self, place):
        caller, node = Caller(os.environ["SAMPLER"]), place % len(self.nodes)
        while not self.over.is_set():
            begun, code = time.time(), self.next()
            while (wait := self.put(caller, self.nodes[node], code)) is not None:
                node = (node + 1) % len(self.nodes)
                if self.over.wait(wait):
                    return
            self.over.wait(max(0, DEVICES / self.rate - (time.time() - begun)))


class Watch:
    """Asks somebody every tenth of a second and keeps when and what was answered."""

    def __init__(self, url, over, read=lambda status, text: status):
        self.url, self.over, self.read, self.seen = url, over, read, []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over.wait(0.1):
            begun = time.time()
            try:
                with urllib.request.urlopen(self.url, timeout=60) as answer:
                    said = self.read(answer.status, answer.read().decode())
            except urllib.error.HTTPError as error:
                said = error.code
            except OSError:
                said = None
            self.seen.append((begun, time.time(), said))

    def first(self, since, wanted):
        """When it first said what is wanted after that time."""
        return min((end for begin, end, said in self.seen if begin > since and wanted(said)), default=None)


def leads_to(status, text):
    """The server HAProxy leads to."""
    rows = [row.split(",") for row in text.splitlines() if row.startswith("primary,m")]
    return next((row[1] for row in rows if row[17].startswith("UP")), None)


def percentile(values, share):
    values = sorted(values)
    return f"{values[int((len(values) - 1) * share)] * 1000:.1f} ms" if values else "-"


def describe(load, lost_at, watches):
    good = sorted((end, begin) for begin, end, _, status, *_ in load.answers if status in (200, 201))
    ends = [end for end, _ in good]
    # The longest time without an acknowledgement; until now where there was none any more.
    gap, at = max((later - one, one) for one, later in zip(ends, [*ends[1:], time.time()]) if later > lost_at)
    back = at + gap
    patroni, haproxy, ready = watches

    def after(at):
        return "-" if at is None else f"{at - lost_at:.2f} s"

    old = next((said for _, end, said in reversed(haproxy.seen) if end < lost_at), None)
    gone = haproxy.first(lost_at, lambda said: said != old)
    led = haproxy.first(gone or lost_at, lambda said: said is not None)
    news = [one.first(gone or lost_at, lambda said: said == 200) for one in patroni]
    news = ", ".join(f"m{number} {after(at)}" for number, at in enumerate(news, 1) if at)
    print(f"HAProxy no longer led to {old}: {after(gone)}; a primary again by Patroni: {news or '-'}; HAProxy led there: {after(led)}")
    for number, one in enumerate(ready, 1):
        down = [(begin, end) for begin, end, said in one.seen if end > lost_at and said != 200]
        up = one.first(down[-1][0], lambda said: said == 200) if down else lost_at
        slowest = max((end - begin for begin, end in down), default=0)
        print(f"node {number} /readyz: refused {len(down)} times, slowest {slowest:.2f} s; ready for good after {after(up)}")
    print(f"the first tube acknowledged again: {back - lost_at:.2f} s after the loss")
    for name, low, high in [("before", 0, lost_at), ("meanwhile", lost_at, back - 0.001), ("after", back, 1e12)]:
        # Whatever was answered in this time.
        part = [a for a in load.answers if low < a[1] <= high]
        took = {}
        for begin, end, _, status, problem, wait in part:
            took.setdefault((status, problem, f"retry-after {wait}" if wait else ""), []).append(end - begin)
        for key, times in sorted(took.items(), key=str):
            print(f"{name}: {' '.join(str(word) for word in key if word)}: {len(times)} answers, "
                  f"p50 {percentile(times, .5)}, p99 {percentile(times, .99)}, slowest {percentile(times, 1)}")


def verify(load, psql):
    """Every acknowledged tube is there, once, and as it was acknowledged; so is all else that was sent."""
    wrong = Counter()
    sampler, officer = Caller(os.environ["SAMPLER"]), Caller(os.environ["OFFICER"])
    acknowledged = list(load.known)
    for place, code in enumerate(acknowledged):
        node = load.nodes[place % len(load.nodes)]
        status, _, text = officer.send(node, "GET", f"/v1/tubes/{code}")
        if status != 200 or json.loads(text)["code"] != code:
            wrong["lost"] += 1
            continue
        # Sent again, it must be known, and the answer must be the first one.
        load.sent[code]["device"]["time"] = stamp()
        status, _, text = sampler.send(node, "PUT", f"/v1/tubes/{code}", load.sent[code])
        wrong["lost"] += status == 201
        wrong["altered"] += status != 200 or json.loads(text) != load.known[code]
    unanswered = [code for code in load.sent if code not in load.known]
    for code in unanswered:
        while (wait := load.put(sampler, load.nodes[0], code)) is not None:
            time.sleep(wait)
    stored = sum(load.fresh[code] == [200] for code in load.known)

    def rows(sql):
        command = [*shlex.split(psql), "-qAt", "-c", sql]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    expected = sorted(load.sent)
    for what, sql in [
        ("tubes", "select code from tube"), ("members", "select tube_code from member"),
        ("told in the feed", "select tube_code from feed where change = 'sealed'"),
        ("in the audit trail", "select jsonb_array_elements_text(cast(detail as jsonb) -> 'codes') from audit"
         " where action in ('tube.seal', 'tube.seal_batch')"),
    ]:
        found = Counter(rows(sql))
        doubled, gone = sum(count > 1 for count in found.values()), [code for code in expected if not found[code]]
        strange = len(found) - (len(expected) - len(gone))
        print(f"{what}: {sum(found.values())} of {len(expected)}; doubled {doubled}, lacking {len(gone)}, not sent {strange}")
        wrong["doubled"] += doubled
        wrong["lost"] += len(gone)
        wrong["not sent"] += strange
    print(f"sent {len(load.sent)}, acknowledged {len(acknowledged)} at the end of the load; answered 200 when sent again "
          f"after no answer {stored}")
    print(f"acknowledged and lost {wrong['lost']}, doubled {wrong['doubled']}, altered {wrong['altered']}")
    return any(wrong.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", nargs="+", required=True)
    parser.add_argument("--rate", type=float, default=150, help="tubes a second")
    parser.add_argument("--after", type=float, default=8, help="seconds of load after the service is back")
    parser.add_argument("--loss", required=True, help="file that says when the primary was lost, once it was")
    parser.add_argument("--patroni", nargs=3, required=True)
    parser.add_argument("--haproxy", required=True, help="its statistics as CSV")
    parser.add_argument("--psql", required=True, help="command that asks the store")
    asked = parser.parse_args()
    make_city(asked.nodes[0])
    load = Load(asked.nodes, asked.rate)
    watched = threading.Event()
    watches = ([Watch(f"{one}/primary", watched) for one in asked.patroni],
               Watch(asked.haproxy, watched, leads_to), [Watch(f"{node}/readyz", watched) for node in asked.nodes])
    ended = []

    def guarded(place):
        try:
            load.device(place)
        except BaseException as error:  # a device that ends must not pass for a quiet one
            ended.append(f"device {place}: {error!r}")

    devices = [threading.Thread(target=guarded, args=(place,), daemon=True) for place in range(DEVICES)]
    for device in devices:
        device.start()
    lost_at, back, end = None, False, time.time() + GIVE_UP_S
    while time.time() < end:
        time.sleep(0.1)
        if lost_at is None and os.path.exists(asked.loss):
            lost_at = float(open(asked.loss).read())
            end = lost_at + GIVE_UP_S
        # The service is back when whatever was answered last is good again, after something was not.
        if lost_at is not None and not back:
            recent = load.answers[-DEVICES:]
            bad = any(a[1] > lost_at and a[3] not in (200, 201) for a in load.answers)
            bad = bad or time.time() > lost_at + QUIET_S
            if bad and all(a[0] > lost_at and a[3] in (200, 201) for a in recent):
                back, end = True, time.time() + asked.after
    load.over.set()
    for device in devices:
        device.join()
    watched.set()
    if ended:
        print("\n".join(ended), file=sys.stderr)
    if lost_at is None:
        raise SystemExit("the primary was never lost")
    describe(load, lost_at, watches)
    if not back:
        raise SystemExit(f"the service was not back within {GIVE_UP_S} s")
    if verify(load, asked.psql) or ended:
        sys.exit(2)


if __name__ == "__main__":
    main()
