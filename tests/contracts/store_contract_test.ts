/** The contract suite, on every store of the repository. */

import { test } from "node:test";
import type { Store } from "../../contract.ts";
import { contractSuite } from "../../contract_suite.ts";
import { MAX_KEY_BYTES, memoryFileSystem, open, type Options } from "../../mod.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { MapStore } from "./map_store.ts";

/** 00 "outer" 00 02 "inner" 00 01. */
const PREFIX_BYTES = 15;

/** Small memtables and blocks, so that a few keys are in several tables. */
const small: Options = { memtableSizeBytes: 4096, blockSizeBytes: 256 };

contractSuite({
  test: (title, body) => test(`In memory: ${title}`, body),
  open: () => open("/db", { fileSystem: memoryFileSystem() }),
});

contractSuite({
  test: (title, body) => test(`In small tables without a cache: ${title}`, body),
  open: () => open("/db", { ...small, blockCacheSizeBytes: 0, fileSystem: memoryFileSystem() }),
});

/** Where the test that is running has its store; the tests of a file run one after the other. */
let directory = "";

contractSuite({
  test: (title, body) =>
    test(`On disk: ${title}`, async () => {
      const { path, dispose } = temporaryDirectory("contract");
      directory = path;
      try {
        await body();
      } finally {
        dispose();
      }
    }),
  open: () => open(directory, { ...small, walSync: "none" }),
});

contractSuite({
  test: (title, body) => test(`A part of a store: ${title}`, body),
  open: async () => partOf(await open("/db", { ...small, fileSystem: memoryFileSystem() })),
  maxKeyBytes: MAX_KEY_BYTES - PREFIX_BYTES,
});

contractSuite({
  test: (title, body) => test(`A part of a store over an array: ${title}`, body),
  open: () => partOf(new MapStore()),
  maxKeyBytes: MAX_KEY_BYTES - PREFIX_BYTES,
});

contractSuite({
  test: (title, body) => test(`A store over an array: ${title}`, body),
  open: () => Promise.resolve(new MapStore()),
});

/** A sub of a sub, beside others whose keys are just before and after its own. */
async function partOf(store: Store): Promise<Store> {
  const outer = store.sub("outer");
  const neighbours = [
    store,
    outer,
    outer.sub("innes"),
    outer.sub(["inner", ""]),
    store.sub("oute"),
  ];
  for (const neighbour of neighbours) await neighbour.batch().put("", 1).put("k", 1).write();
  return outer.sub("inner");
}
