/** Runs the command line in this process, with streams and a clock of the test. */

import { Buffer } from "node:buffer";
import { main } from "../../src/main.ts";
import type { OutputStream } from "../../src/output/stream.ts";
import type { Terminal } from "../../src/terminal.ts";

/** What a run did. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly bytes: Uint8Array;
  readonly err: string;
}

/** How the run's surroundings look. */
export interface Surroundings {
  /** Whether its streams are a terminal. */
  readonly terminal?: boolean;
  readonly columns?: number;
  readonly input?: string | Uint8Array;
  /** Lines that a person types as answers. */
  readonly answers?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with what standard output holds so far, whenever it grows. */
  readonly onOutput?: (text: string) => void;
  /** Called with what standard output holds so far, when it is flushed. */
  readonly onFlush?: (text: string) => void;
  /** Called with a function that presses Ctrl-C. */
  readonly onStart?: (interrupt: () => void) => void;
}

class Collector implements OutputStream {
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly isGone = false;
  readonly pieces: Uint8Array[] = [];
  readonly #onOutput: ((text: string) => void) | undefined;
  readonly #onFlush: ((text: string) => void) | undefined;

  constructor(
    isTerminal: boolean,
    columns: number,
    { onOutput, onFlush }: Pick<Surroundings, "onOutput" | "onFlush"> = {},
  ) {
    this.isTerminal = isTerminal;
    this.columns = columns;
    this.#onOutput = onOutput;
    this.#onFlush = onFlush;
  }

  write(text: string | Uint8Array): void {
    this.pieces.push(Buffer.from(text as string));
    this.#onOutput?.(this.text());
  }

  text(): string {
    return Buffer.concat(this.pieces).toString();
  }

  flush(): Promise<void> {
    this.#onFlush?.(this.text());
    return Promise.resolve();
  }
}

/** A terminal that collects what is written, and what standard output holds so far. */
export function collectingTerminal(
  surroundings: Surroundings = {},
): { readonly terminal: Terminal; readonly out: () => string } {
  const { terminal, out } = worldOf(surroundings);
  return { terminal, out: () => out.text() };
}

/** Runs `tinykvs` with these words. */
export async function run(
  words: readonly string[],
  surroundings: Surroundings = {},
): Promise<Ran> {
  const { terminal, out, err } = worldOf(surroundings);
  const code = await main(words, terminal);
  const bytes = Buffer.concat(out.pieces);
  return {
    code,
    out: bytes.toString(),
    bytes,
    err: Buffer.concat(err.pieces).toString(),
  };
}

function worldOf(
  surroundings: Surroundings,
): { readonly terminal: Terminal; readonly out: Collector; readonly err: Collector } {
  const { terminal = false, columns = 80, input = "", environment = {} } = surroundings;
  const answers = [...surroundings.answers ?? []];
  const out = new Collector(terminal, columns, surroundings);
  const err = new Collector(terminal, columns);
  const world: Terminal = {
    out,
    err,
    input: {
      isTerminal: terminal,
      async *chunks() {
        const bytes = Buffer.from(input as string);
        // In pieces, as a pipe gives them.
        for (let at = 0; at < bytes.length; at += 1000) {
          yield bytes.subarray(at, at + 1000);
        }
      },
      line: () => Promise.resolve(answers.shift()),
    },
    environment,
    now: Date.now,
    onInterrupt: (interrupt) => {
      surroundings.onStart?.(interrupt);
      return () => {};
    },
  };
  return { terminal: world, out, err };
}
