/** What the programs share that measure one store in a process of their own. */

import { readFileSync } from "node:fs";
import process from "node:process";
import type { EngineKind, LoadedEngine } from "./engine.ts";

/** Why there is no figure. */
export interface Missing {
  readonly kind: "unavailable" | "unsupported";
  readonly reason: string;
}

/** Prints the result, and ends: native libraries may keep threads that would hold the process. */
export function finish<Outcome>(outcome: Outcome | Missing): never {
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
  process.exit(0);
}

/** Ends with the result that a store lacks an operation. */
export function finishWithoutOperation(): never {
  return finish({ kind: "unsupported", reason: "has no such operation" });
}

/** Loads a store's library. Ends with that result if this runtime can't. */
export async function loadEngine(kind: EngineKind): Promise<LoadedEngine> {
  try {
    return await kind.load();
  } catch (error) {
    return finish({ kind: "unavailable", reason: (error as Error).message.split("\n")[0]! });
  }
}

/** Bytes that the system has read or written for this process; null where it does not count. */
export function ioBytes(name: "read_bytes" | "write_bytes"): number | null {
  if (process.platform !== "linux") return null;
  const text = readFileSync("/proc/self/io", "utf8");
  return Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)![1]);
}
