/**
 * What a micro bench consists of, and how its cases are measured. The files beside this one make
 * the cases, benches.ts lists them, run_bench.ts measures those of one module in its own process,
 * and bench/micro.ts starts that process for each module.
 *
 * A case does a fixed number of operations in a call and returns a sum over their results. The sum
 * must be the expected one in every call. So no work can be optimised away, and a wrong answer ends
 * the bench. The loop is part of the case (about 1 ns an operation). A loop outside, over a
 * function that was passed in, would measure the call, and the engine never calls that way.
 */

/** One thing that is measured. */
export interface MicroCase {
  /** What is done, in a few words. */
  readonly name: string;
  /** Operations of one call of `run`. */
  readonly operations: number;
  /** The sum that `run` must return, known from how the input was made and not from `run`. */
  readonly expected: number;
  /** Does the operations and returns the sum over their results. */
  readonly run: () => number;
}

/** The cases of one module. */
export interface MicroBench {
  /** Name for `--only`. */
  readonly name: string;
  /** Prepares the inputs. */
  readonly makeCases: () => MicroCase[];
}

/** What was measured of a case, in nanoseconds an operation. */
export interface MicroResult {
  readonly name: string;
  readonly medianNs: number;
  readonly minNs: number;
  /** Distance between the quartiles. */
  readonly spreadNs: number;
}

/** How long is measured. */
export interface MicroEffort {
  /** Milliseconds for which each case runs before anything is measured. */
  readonly warmUpMs: number;
  /** Rounds; in each of them every case has its turn. */
  readonly rounds: number;
  /** Milliseconds that a case's turn takes at least. */
  readonly turnMs: number;
}

/** Calls a case and checks its sum. */
function runChecked(one: MicroCase): void {
  const sum = one.run();
  if (sum !== one.expected) {
    throw new Error(`Case "${one.name}" went wrong: its sum is ${sum}, expected ${one.expected}`);
  }
}

/** The value below which `part` of the ascending `sorted` lie. */
export function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const low = sorted[Math.floor(at)]!;
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at));
}

/**
 * Measures cases alternately. `clockMs` should count the processor time of the process: on a shared
 * machine, wall time is mostly that of other programs.
 *
 * @throws {Error} a case returned a wrong sum
 */
export function measureCases(
  cases: readonly MicroCase[],
  effort: MicroEffort,
  clockMs: () => number,
): MicroResult[] {
  for (const one of cases) {
    const endMs = clockMs() + effort.warmUpMs;
    do runChecked(one); while (clockMs() < endMs);
  }
  const figures = cases.map((): number[] => []);
  for (let round = 0; round < effort.rounds; round++) {
    for (const [i, one] of cases.entries()) {
      const startMs = clockMs();
      let elapsedMs = 0;
      let calls = 0;
      do {
        runChecked(one);
        calls++;
        elapsedMs = clockMs() - startMs;
      } while (elapsedMs < effort.turnMs);
      figures[i]!.push(elapsedMs * 1e6 / (calls * one.operations));
    }
  }
  return cases.map(({ name }, i) => {
    const sorted = figures[i]!.sort((a, b) => a - b);
    return {
      name,
      medianNs: quantile(sorted, 0.5),
      minNs: sorted[0]!,
      spreadNs: quantile(sorted, 0.75) - quantile(sorted, 0.25),
    };
  });
}
