/**
 * Follows a range of a store that another process may be writing to: opens it for reading again
 * and again, and walks through the old and the new state side by side.
 *
 * A read-only handle shows one moment, so this sees the difference between two moments. If a key
 * changes twice in between, only its last value shows.
 */

import type { Range, Value } from "@tinykvs/core";
import { Buffer } from "node:buffer";
import { readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { entryBatches } from "./batches.ts";
import type { FlagOption, OptionValues, ValuedOption } from "./command.ts";
import type { Context } from "./context.ts";
import { UsageError } from "./errors.ts";
import { ChangeOutput, type KeyChange } from "./output/change_output.ts";
import type { Lease } from "./store_access.ts";
import { toUtf8 } from "./values/bytes.ts";
import { literalOf } from "./values/literal_text.ts";

/** The options of commands that can follow a store. */
export const followOptions: {
  readonly follow: FlagOption;
  readonly interval: ValuedOption;
} = {
  follow: { short: "f", help: "go on, and show what changes" },
  interval: {
    value: "SECONDS",
    help: "with --follow: how often to look (default 1)",
  },
};

/** The time between two looks in milliseconds. @throws {UsageError} it is not a number */
export function intervalOf(
  options: Pick<OptionValues<typeof followOptions>, "interval">,
): number {
  const text = options.interval ?? "1";
  const seconds = Number(text);
  if (/^\d*\.?\d+$/.test(text) && seconds >= 0.05 && seconds <= 86_400) {
    return seconds * 1000;
  }
  throw new UsageError(
    `--interval is "${text}", expected a number of seconds from 0.05`,
  );
}

/**
 * Shows the changes of a range until the person interrupts, beginning with the state of `lease`.
 * Closes neither that lease nor the output.
 */
export async function followRange(
  context: Context,
  lease: Lease,
  range: Range,
  intervalMs: number,
): Promise<void> {
  const { output, signal, store } = context;
  const bounds: Range = { ...range };
  delete bounds.limit;
  delete bounds.reverse;
  await output.remark(`following ${store.path}: Ctrl-C ends`);
  // What was shown before may have to wait for long until something is added.
  await output.stream.flush();
  if (lease.asOf === undefined) await followOpenStore(context, lease, bounds);
  else await followFiles(context, lease, bounds, intervalMs);
  // The terminal has shown ^C in the line of the cursor.
  if (signal.aborted && output.isForPeople) await output.stream.write("\n");
}

/** Follows a store that somebody else may be writing to. */
async function followFiles(
  { output, signal, store }: Context,
  lease: Lease,
  range: Range,
  intervalMs: number,
): Promise<void> {
  const shown = new ChangeOutput(output);
  let old = lease;
  let oldPrint = "";
  try {
    while (!signal.aborted && !output.isGone) {
      await sleep(intervalMs, undefined, { signal });
      // Listed before the store is opened: what happens in between counts as new next time.
      const names = (await readdir(store.path)).sort();
      const now = await store.read();
      const before = old;
      old = now;
      try {
        // Usually nothing was written, and the names and counts say so without a scan.
        const print = fingerprint(now, names);
        if (print !== oldPrint) {
          for await (const change of changesBetween(before, now, { ...range, signal })) {
            await shown.write(change, now.asOf);
          }
          await output.stream.flush();
        }
        oldPrint = print;
      } finally {
        if (before !== lease) await before[Symbol.asyncDispose]();
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    if (old !== lease) await old[Symbol.asyncDispose]();
  }
}

/** Follows a store that this process has open for writing: it sees every commit. */
async function followOpenStore(
  context: Context,
  lease: Lease,
  range: Range,
): Promise<void> {
  const { output, signal, terminal } = context;
  const shown = new ChangeOutput(output);
  try {
    for await (const { operations } of lease.store.watch(range, { signal })) {
      for (const operation of operations) {
        if (operation.type === "deleteRange") {
          await shown.write({ range: operation.range }, terminal.now());
          continue;
        }
        const key = typeof operation.key === "string" ? toUtf8(operation.key) : operation.key;
        const value = operation.type === "put" ? operation.value : undefined;
        await shown.write({ key, value }, terminal.now());
      }
      await output.stream.flush();
      if (output.isGone) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** What differs between two states, in the order of the keys. Each state is read once. */
export async function* changesBetween(
  before: Pick<Lease, "store">,
  after: Pick<Lease, "store">,
  range: Range,
): AsyncGenerator<KeyChange> {
  const old = new Reader(before, range);
  const now = new Reader(after, range);
  try {
    let was = await old.next();
    let is = await now.next();
    while (was !== undefined || is !== undefined) {
      const order = was === undefined ? 1 : is === undefined ? -1 : Buffer.compare(was[0], is[0]);
      if (order < 0) yield { key: was![0], value: undefined };
      else if (order > 0 || literalOf(was![1]) !== literalOf(is![1])) {
        yield { key: is![0], value: is![1] };
      }
      if (order <= 0) was = await old.next();
      if (order >= 0) is = await now.next();
    }
  } finally {
    await old.close();
    await now.close();
  }
}

/** Gives the entries of a range one by one. */
class Reader {
  readonly #batches: AsyncGenerator<[Uint8Array, Value][]>;
  #batch: readonly [Uint8Array, Value][] = [];
  #at = 0;

  constructor({ store }: Pick<Lease, "store">, range: Range) {
    this.#batches = entryBatches(store, range);
  }

  async next(): Promise<[Uint8Array, Value] | undefined> {
    if (this.#at === this.#batch.length) {
      const { value } = await this.#batches.next();
      this.#batch = value ?? [];
      this.#at = 0;
    }
    return this.#batch[this.#at++];
  }

  async close(): Promise<void> {
    await this.#batches.return(undefined);
  }
}

/**
 * A text that differs from the one before if the store was written to in between. A log only grows
 * while it has the same name, and no name of a file is used twice.
 */
function fingerprint({ store }: Lease, names: readonly string[]): string {
  const { memtable, immutableMemtables, wal } = store.stats();
  return JSON.stringify([names, memtable, immutableMemtables, wal]);
}
