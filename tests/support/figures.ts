/**
 * How a test states how much it has tried: one line on the output, which `npm run test:faults` adds
 * up for each runtime, prints at its end, and compares with the targets in scripts/figures.ts.
 */

/**
 * Prints `figure: <name> = <count>`. Names are in scripts/figures.ts; several tests may add to one.
 */
export function reportFigure(name: string, count: number): void {
  console.log(`figure: ${name} = ${count}`);
}
