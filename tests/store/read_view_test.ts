// Leases: who keeps a read view, until when, and what they are told afterwards.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Memtable } from "../../src/memtable/memtable.ts";
import { Lease, ReadView } from "../../src/store/state/read_view.ts";
import { Version } from "../../src/version/version.ts";
import type { VersionSet } from "../../src/version/version_set.ts";

/** A version set of which only the two methods that views use are there. */
class CountingVersions {
  readonly version = Version.empty();
  released = 0;
  retain(): Version {
    return this.version;
  }
  release(version: Version): void {
    assert.equal(version, this.version);
    this.released++;
  }
}

function viewOf(
  memtables: Memtable[],
  onUnused: (memtable: Memtable) => void = () => {},
): { view: ReadView; versions: CountingVersions } {
  const versions = new CountingVersions();
  return { view: new ReadView(memtables, versions as unknown as VersionSet, onUnused), versions };
}

test("A view releases its version with the last of its maker and its leases", () => {
  const { view, versions } = viewOf([]);
  const leases = new Set<Lease>();
  const first = new Lease(view, 1, leases);
  const second = new Lease(view, 2, leases);
  view.release();
  first.release();
  assert.equal(versions.released, 0);
  second.release();
  assert.equal(versions.released, 1);
  assert.equal(leases.size, 0);
});

test("A lease that is released twice counts once", () => {
  const { view, versions } = viewOf([]);
  const leases = new Set<Lease>();
  const lease = new Lease(view, 1, leases);
  lease.release();
  lease.release();
  lease.revoke();
  assert.equal(versions.released, 0);
  view.release();
  assert.equal(versions.released, 1);
});

test("A lease tells whether it was released or the store was closed", () => {
  const { view } = viewOf([]);
  const leases = new Set<Lease>();
  const released = new Lease(view, 1, leases);
  const revoked = new Lease(view, 1, leases);
  released.requireHeld("cursor");
  released.release();
  revoked.revoke();
  revoked.release();
  assert.throws(() => released.requireHeld("cursor"), { code: "CLOSED", message: /the cursor/ });
  assert.throws(() => revoked.requireHeld("cursor"), { code: "CLOSED", message: /the store/ });
});

test("A memtable is unused when the last view that shows it is released, not earlier", () => {
  const [older, newer] = [new Memtable(1, 4096), new Memtable(9, 4096)];
  const unused: Memtable[] = [];
  const before = viewOf([older], (memtable) => unused.push(memtable)).view;
  const lease = new Lease(before, 5, new Set());
  const after = viewOf([newer, older], (memtable) => unused.push(memtable)).view;
  before.release();
  const last = viewOf([newer], (memtable) => unused.push(memtable)).view;
  after.release();
  assert.deepEqual(unused, []);
  lease.release();
  assert.deepEqual(unused, [older]);
  last.release();
  assert.deepEqual(unused, [older, newer]);
});
