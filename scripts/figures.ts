/**
 * How much the fault programme must have tried in a run of `npm run test:faults`, for each runtime.
 * Tests print their counts (tests/support/figures.ts); here they are added up and compared.
 */

import { type Runtime, runtimes } from "./processes.ts";

/** The least that a whole run must reach with a test scale of 1. Larger scales do not change it. */
const targets: Readonly<Record<string, Readonly<Record<Runtime, number>>>> = {
  "crash states": { node: 100_000, deno: 25_000, bun: 25_000 },
  "crash states of recoveries": { node: 10_000, deno: 2_500, bun: 2_500 },
  "error injections": { node: 4_000, deno: 1_000, bun: 1_000 },
  "corrupted stores": { node: 25_000, deno: 25_000, bun: 200_000 },
  "model histories": { node: 5_000, deno: 1_000, bun: 1_000 },
  "model histories under four option sets": { node: 500, deno: 100, bun: 100 },
  "fuzzed decoder inputs": { node: 1_800_000, deno: 1_800_000, bun: 1_800_000 },
  "go log mutants": { node: 19_000, deno: 19_000, bun: 19_000 },
  "go manifest mutants": { node: 16_000, deno: 16_000, bun: 16_000 },
  "hostile go stores": { node: 7_500, deno: 7_500, bun: 7_500 },
  "kills": { node: 60, deno: 60, bun: 60 },
  "lost locks": { node: 700, deno: 180, bun: 180 },
  "read only opens": { node: 3_500, deno: 3_500, bun: 3_500 },
  "model histories through a sub": { node: 500, deno: 100, bun: 100 },
  "transaction histories": { node: 2_500, deno: 500, bun: 500 },
  "repaired stores": { node: 650, deno: 650, bun: 650 },
  "seeded bugs caught": { node: 42, deno: 0, bun: 0 },
  "soak seconds": { node: 30, deno: 30, bun: 30 },
};

/** Sums of the figures that the runtimes' tests have printed. */
export class Figures {
  readonly #sums = new Map<string, Record<Runtime, number>>();

  /** Adds the figures in the output of one test file. */
  collect(runtime: Runtime, output: string): void {
    for (const [, name, count] of output.matchAll(/^figure: ([\w ]+) = (\d+)\r?$/gm)) {
      const sums = this.#sums.get(name!) ?? { node: 0, deno: 0, bun: 0 };
      sums[runtime] += Number(count);
      this.#sums.set(name!, sums);
    }
  }

  /** One line per figure, for people. */
  lines(): string[] {
    return [...this.#sums].toSorted().map(([name, sums]) => {
      const counts = runtimes.map((runtime) => `${runtime} ${sums[runtime]}`);
      return `${name.padEnd(40)} ${counts.join(", ")}`;
    });
  }

  /** The figures that fell short of their targets or are not known, in words. */
  problems(): string[] {
    const problems: string[] = [];
    for (const [name, target] of Object.entries(targets)) {
      for (const runtime of runtimes) {
        const reached = this.#sums.get(name)?.[runtime] ?? 0;
        if (reached >= target[runtime]) continue;
        problems.push(`${name} on ${runtime}: ${reached}, expected at least ${target[runtime]}`);
      }
    }
    for (const name of this.#sums.keys()) {
      if (targets[name] === undefined) problems.push(`the figure "${name}" has no target`);
    }
    return problems;
  }
}
