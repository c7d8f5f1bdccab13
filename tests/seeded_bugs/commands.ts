/**
 * The one table of where each layer's tests are and how they are made small. The files are globs
 * and the tests are found by their titles, so that a layer may be split into other files without a
 * change here.
 */

import type { Command } from "./bug.ts";

/**
 * One workload of the enumeration of crashes, by the start of its title; scale 1 opens every state.
 */
export function crashes(workload: string, scale = 0.1): Command {
  return {
    layer: "CR",
    files: "tests/faults/crash_*_test.ts",
    titles: new RegExp(`^${workload} shows a prefix of its history`),
    environment: { TINYKVS_TEST_SCALE: String(scale) },
  };
}

/** One way for operations to fail, in one script. */
export function errors(titles: RegExp): Command {
  return {
    layer: "EI",
    files: "tests/faults/error_injection*_test.ts",
    titles,
    environment: { TINYKVS_TEST_SCALE: "0.25" },
  };
}

/** One kind of store that is damaged. */
export function corruption(titles: RegExp): Command {
  return {
    layer: "CO",
    files: "tests/faults/corruption_*_test.ts",
    titles,
    environment: { TINYKVS_TEST_SCALE: "0.25" },
  };
}

/** Random histories against a sorted map. */
export const model: Command = {
  layer: "MO",
  files: "tests/properties/model_test.ts",
  titles: /^The store gives the answers of a sorted map in random histories/,
  environment: { TINYKVS_TEST_SCALE: "0.05" },
};

/** Random histories of concurrent transactions against a serial oracle. */
export const transactions: Command = {
  layer: "MO",
  files: "tests/properties/transactions_test.ts",
  titles: /^Every history of concurrent transactions is that of a serial order/,
  environment: { TINYKVS_TEST_SCALE: "0.2" },
};

/** Random histories that go through a sub. */
export const modelThroughSub: Command = {
  layer: "MO",
  files: "tests/properties/model_sub_test.ts",
  titles: /^A sub gives the answers of a sorted map in random histories/,
  environment: { TINYKVS_TEST_SCALE: "0.2" },
};

/** Writers that are killed. */
export function kills(titles: RegExp): Command {
  return {
    layer: "KL",
    files: "tests/faults/kill*_test.ts",
    titles,
    environment: { TINYKVS_TEST_SCALE: "0.1" },
  };
}

/** One script in which the lock is lost, "before" or "after" every operation. */
export function lostLocks(store: string, phase: string): Command {
  return {
    layer: "CR",
    files: "tests/faults/lost_lock_states_test.ts",
    titles: new RegExp(`^${store} loses an acknowledged write when its lock is lost ${phase} `),
  };
}

/**
 * Readers beside a writer. What the writer has done by a certain step depends on the load of the
 * machine, so one seed alone does not always show a bug: the scale lets them go on until one does.
 */
export function readers(titles: RegExp): Command {
  return {
    layer: "UN",
    files: "tests/store/read_only_interleaving_test.ts",
    titles,
    environment: { TINYKVS_TEST_SCALE: "40" },
  };
}

/** A test that is about just what the bug breaks. */
export function directed(files: string, titles: RegExp): Command {
  return { layer: "UN", files, titles };
}
