/**
 * What the command line uses of its process: streams, the environment and the clock. The tests give
 * their own; `systemTerminal` is the real one.
 */

import process from "node:process";
import { type OutputStream, StreamOutput } from "./output/stream.ts";

/** The surroundings of a command. */
export interface Terminal {
  /** Standard output. */
  readonly out: OutputStream;
  /** Standard error: errors, questions and progress. */
  readonly err: OutputStream;
  /** Standard input. */
  readonly input: Input;
  /** The environment variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The current time in milliseconds since 1970. */
  now(): number;
  /** Calls `interrupt` at each Ctrl-C and at SIGTERM, until the returned function is called. */
  onInterrupt(interrupt: () => void): () => void;
}

/** Standard input. */
export interface Input {
  /** Whether a person types it. */
  readonly isTerminal: boolean;
  /** Its bytes. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Reads one line that a person types; undefined at the end of the input. */
  line(): Promise<string | undefined>;
}

/** The process's own. */
export function systemTerminal(): Terminal {
  return {
    out: new StreamOutput(process.stdout),
    err: new StreamOutput(process.stderr),
    input: {
      isTerminal: process.stdin.isTTY === true,
      chunks: () => process.stdin,
      line: readLine,
    },
    environment: process.env,
    now: Date.now,
    onInterrupt: (interrupt) => {
      const signals = ["SIGINT", "SIGTERM"] as const;
      for (const signal of signals) process.on(signal, interrupt);
      return () => {
        for (const signal of signals) process.off(signal, interrupt);
      };
    },
  };
}

async function readLine(): Promise<string | undefined> {
  const { createInterface } = await import("node:readline");
  const reader = createInterface({ input: process.stdin, terminal: false });
  try {
    return await new Promise((resolve) => {
      reader.once("line", resolve);
      reader.once("close", () => resolve(undefined));
    });
  } finally {
    reader.close();
    process.stdin.pause();
  }
}
