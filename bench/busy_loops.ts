/**
 * Programs that do nothing but take the processor, to measure beside: a server is a busy machine,
 * and what waits for a thread that does not get its turn shows only there.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { binaryOf } from "../scripts/processes.ts";

const program = `process.stdout.write("up"); for (;;);`;

/** Loops that run until they are stopped. */
export class BusyLoops {
  readonly #children: ChildProcess[];

  /** Internal: `start` makes it. */
  constructor(children: ChildProcess[]) {
    this.#children = children;
  }

  /** Starts that number of loops; resolves when all of them run. */
  static async start(count: number): Promise<BusyLoops> {
    const children = Array.from({ length: count }, () =>
      spawn(binaryOf("node"), ["-e", program], {
        stdio: ["ignore", "pipe", "ignore"],
      }));
    const loops = new BusyLoops(children);
    // Even if this process is ended in the middle.
    process.once("exit", () => loops.stop());
    await Promise.all(children.map((child) => once(child.stdout!, "data")));
    return loops;
  }

  /** Stops them. */
  stop(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }
}
