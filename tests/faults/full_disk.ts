/**
 * What has to hold on a disk that fills up, as two acts: `fillDisk` writes until the disk is full
 * and beyond, `checkRecovered` comes when there is room again. full_disk_test.ts runs them on a
 * quota in memory, full_disk_child.ts on a real disk.
 */

import assert from "node:assert/strict";
import {
  BackgroundError,
  type EmbeddedStore,
  IoError,
  open,
  type Operation,
  type Options,
  StoreError,
} from "../../mod.ts";
import { Random } from "../support/random.ts";

const VALUE_BYTES = 300;
const BATCH_PUTS = 3;
const MAX_IN_FLIGHT = 3;
/** Nothing that a test fills takes more. */
const MAX_BATCHES = 100_000;

/** How a disk is filled. */
export interface FillPlan {
  /** The store. */
  readonly directory: string;
  /** How it is opened; tables and logs should be small against the disk. */
  readonly options: Options;
  /** Whether the writer waits synchronously. */
  readonly isSync: boolean;
  /** The operating system's code for a disk that takes no more. */
  readonly code: string;
}

/** What is known of a store on a full disk. */
export interface FilledDisk {
  /** Batches 1 to this were acknowledged. */
  readonly acknowledged: number;
  /** Batches up to this were issued. */
  readonly issued: number;
}

/** Bytes that no codec makes smaller, the same for the same number. */
function valueOf(n: number): Uint8Array {
  const random = new Random(n);
  const bytes = new Uint8Array(VALUE_BYTES);
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.uint32();
  return bytes;
}

function keyOf(n: number, i: number): string {
  return `key ${String(n).padStart(6, "0")}-${i}`;
}

/** Batch `n`: keys that no other batch has. */
function batchOf(n: number): Operation[] {
  return Array.from({ length: BATCH_PUTS }, (_, i) => ({
    type: "put",
    key: keyOf(n, i),
    value: valueOf(n * BATCH_PUTS + i),
  }));
}

/** Requires a typed error that names the operating system's code, itself or by its cause. */
function assertFull(error: unknown, code: string): void {
  assert.ok(error instanceof StoreError, String(error));
  const refusal = error instanceof BackgroundError ? error.cause : error;
  assert.ok(refusal instanceof IoError, `${error.message}, caused by ${String(refusal)}`);
  assert.equal(refusal.osCode, code, refusal.message);
  assert.ok(refusal.path !== "" && refusal.operation !== "", refusal.message);
}

/** Every acknowledged batch, each way to read. */
async function assertAcknowledged(store: EmbeddedStore, acknowledged: number): Promise<void> {
  const found = new Map(await store.entries().toArray() as [string, Uint8Array][]);
  for (let n = 1; n <= acknowledged; n++) {
    for (let i = 0; i < BATCH_PUTS; i++) {
      const key = keyOf(n, i);
      const expected = valueOf(n * BATCH_PUTS + i);
      assert.deepEqual(found.get(key), expected, `a scan of ${acknowledged} batches at "${key}"`);
      assert.deepEqual(await store.get(key), expected);
    }
  }
}

/** Writes until a write fails; what failed must be the disk. */
async function writeUntilFull(store: EmbeddedStore, plan: FillPlan): Promise<FilledDisk> {
  let acknowledged = 0;
  let failure: unknown;
  let firstFailed = Infinity;
  let n = 0;
  const underWay: Promise<void>[] = [];
  while (failure === undefined && n < MAX_BATCHES) {
    const ordinal = ++n;
    try {
      if (plan.isSync) {
        store.writeSync(batchOf(ordinal));
        acknowledged = ordinal;
      } else {
        underWay.push(
          store.write(batchOf(ordinal)).then(
            () => {
              // An older one may still be held up by the background, and its promise settle later.
              assert.ok(
                ordinal < firstFailed,
                `batch ${ordinal} was acknowledged, not an older one`,
              );
              acknowledged = Math.max(acknowledged, ordinal);
            },
            (error: unknown) => {
              failure ??= error;
              firstFailed = Math.min(firstFailed, ordinal);
            },
          ),
        );
        if (underWay.length >= MAX_IN_FLIGHT) await underWay.shift();
      }
    } catch (error) {
      failure = error;
    }
  }
  await Promise.all(underWay);
  assertFull(failure, plan.code);
  return { acknowledged, issued: n };
}

/** Fills the disk and checks how the store copes, until it is closed. */
export async function fillDisk(plan: FillPlan): Promise<FilledDisk> {
  const { directory, options, code } = plan;
  const store = await open(directory, options);
  const filled = await writeUntilFull(store, plan);
  await assertAcknowledged(store, filled.acknowledged);
  // It keeps the first failure, whatever call comes next.
  const refusals: (() => Promise<unknown>)[] = [
    () => store.put("late", 1),
    () => store.delete(keyOf(1, 0)),
    () => store.sync(),
    () => store.flush(),
    () => store.compact(),
  ];
  for (const refused of refusals) {
    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof BackgroundError, String(error));
      assertFull(error, code);
      return true;
    });
  }
  await assertAcknowledged(store, filled.acknowledged);
  await assert.rejects(store.close(), (error) => {
    assertFull(error, code);
    return true;
  });
  assert.equal(store.status, "closed");
  await openWhileFull(plan, filled);
  return filled;
}

/**
 * A store on a full disk can be read; opening it for writing works, or says that the disk is full.
 */
async function openWhileFull(plan: FillPlan, { acknowledged }: FilledDisk): Promise<void> {
  const { directory, options, code } = plan;
  const readOnly = await open(directory, { ...options, readOnly: true });
  await assertAcknowledged(readOnly, acknowledged);
  await readOnly.close();
  let store: EmbeddedStore;
  try {
    store = await open(directory, options);
  } catch (error) {
    assertFull(error, code);
    return;
  }
  await assertAcknowledged(store, acknowledged);
  try {
    await store.close();
  } catch (error) {
    assertFull(error, code);
  }
}

/** Opens the store when there is room again: nothing is lost, and it works. */
export async function checkRecovered(plan: FillPlan, filled: FilledDisk): Promise<void> {
  const { directory, options } = plan;
  const { acknowledged, issued } = filled;
  const store = await open(directory, options);
  const keys = await store.keys().toArray() as string[];
  assert.equal(keys.length % BATCH_PUTS, 0, "a batch is there in part");
  const recovered = keys.length / BATCH_PUTS;
  assert.ok(acknowledged <= recovered && recovered <= issued, `${acknowledged} ${recovered}`);
  await assertAcknowledged(store, recovered);
  for (let n = recovered + 1; n <= recovered + 20; n++) await store.write(batchOf(n));
  store.writeSync(batchOf(recovered + 21));
  await store.compact();
  await store.close();
  const again = await open(directory, options);
  await assertAcknowledged(again, recovered + 21);
  assert.equal(await again.count(), (recovered + 21) * BATCH_PUTS);
  await again.close();
}
