/** The frame of the contract suite: what an implementation passes, and how a test is run. */

import type { Store } from "../store.ts";

/** What the suite needs from an implementation and from a test runner. */
export interface ContractSuiteOptions {
  /** Declares a test: that of `node:test`, `Deno.test`, `bun:test`, Vitest and so on. */
  test(title: string, body: () => Promise<void>): unknown;
  /** Opens an empty store, which the test closes. Keys are shown as text. */
  open(): Promise<Store>;
  /**
   * The longest key that the store takes; less than a store's for a part of one. Default:
   * `MAX_KEY_BYTES`.
   */
  maxKeyBytes?: number;
  /**
   * Whether values can expire, by the clock of `Date`. A store that does not have this has to
   * refuse the options. Default true.
   */
  hasExpiry?: boolean;
}

/** Declares one test of a fresh store. */
export type StoreTest = (title: string, body: (store: Store) => Promise<void>) => void;

/** Declares tests that each get a fresh store. */
export function storeTests({ test, open }: ContractSuiteOptions): StoreTest {
  return (title, body) => {
    test(title, async () => {
      const store = await open();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    });
  };
}

/** The text of a key with leading zeros, so that keys sort as numbers do. */
export function keyOf(n: number): string {
  return `k${String(n).padStart(4, "0")}`;
}

/** The keys of `from` to `to`, without `to`. */
export function keysFrom(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => keyOf(from + i));
}

/** Puts the numbers 0 to `count`, without `count`, under their keys. */
export async function fill(store: Store, count: number): Promise<void> {
  const batch = store.batch();
  for (let i = 0; i < count; i++) batch.put(keyOf(i), i);
  await batch.write();
}
