/**
 * A holder or contender of lost_lock_*test.ts and long_path_lock_test.ts. Lines on standard input:
 *
 *   open <path>            opens the store
 *   hold <path>            only locks the directory
 *   drop <kind> <path>     has the system drop this process's locks on the store's LOCK
 *   put <key>              stores the key as its own value, durably; so does putSync
 *   get <key>              reads it
 *   flush, compact, close  of the store
 *
 * Every line is answered with a line of JSON. Nothing beside the directory is needed, so that Deno
 * can run it with no other permission.
 */

import { cpSync, readFileSync, writeSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { type EmbeddedStore, open, StoreError } from "../../mod.ts";
import { defaultFileSystem } from "../../src/platform/default_file_system.ts";

/** What a child answers. */
export interface LostLockAnswer {
  /** Whether the line succeeded. */
  readonly ok: boolean;
  /** What `get` found. */
  readonly value?: unknown;
  /** The error, if it failed. */
  readonly error?: {
    readonly name: string;
    readonly code: string | undefined;
    readonly message: string;
    readonly cause: string | undefined;
  };
}

let store: EmbeddedStore | undefined;

const drops: Record<string, (path: string) => unknown> = {
  copy: (path) => cpSync(path, `${path}-copy`, { recursive: true }),
  read: (path) => readFileSync(`${path}/LOCK`),
  sqlite: (path) => new DatabaseSync(`${path}/LOCK`).close(),
  worker: (path) =>
    new Promise((resolve, reject) => {
      const source = `require("node:fs").readFileSync(${JSON.stringify(`${path}/LOCK`)})`;
      const worker = new Worker(source, { eval: true });
      worker.once("error", reject);
      worker.once("exit", resolve);
    }),
};

async function obey([act, ...rest]: string[]): Promise<unknown> {
  const argument = rest.join(" ");
  switch (act) {
    case "open":
      store = await open(argument, { memtableSizeBytes: 4096, compression: "none" });
      return;
    case "hold":
      defaultFileSystem().lockSync(argument);
      return;
    case "drop":
      return void await drops[rest[0]!]!(rest.slice(1).join(" "));
    case "put":
      return await store!.put(argument, argument, { sync: true });
    case "putSync":
      return store!.putSync(argument, argument);
    case "get":
      return await store!.get(argument);
    case "flush":
      return await store!.flush();
    case "compact":
      return await store!.compact();
    case "close":
      return await store!.close();
    default:
      throw new Error(`Cannot obey "${act}"`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer: LostLockAnswer;
  try {
    answer = { ok: true, value: await obey(line.split(" ")) };
  } catch (error) {
    const { name, message, cause } = error as Error;
    const code = error instanceof StoreError ? error.code : undefined;
    answer = {
      ok: false,
      error: { name, code, message, cause: cause instanceof StoreError ? cause.code : undefined },
    };
  }
  writeSync(1, `${JSON.stringify(answer)}\n`);
}
