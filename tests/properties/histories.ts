/** Random histories: how they are made, and how one is run. */

import fc from "fast-check";
import { useScheduler } from "../support/fault_scheduler.ts";
import type { Step } from "./command.ts";
import { commands } from "./commands.ts";
import { drainCursors } from "./commands_cursor.ts";
import { settled } from "./environment.ts";
import { inspectAll, inspectSome } from "./inspection.ts";
import { optionSets } from "./option_sets.ts";
import { World, type WorldOptions } from "./world.ts";

/** The least and the largest number of steps. */
export const MIN_STEPS = 20;
export const MAX_STEPS = 120;

/** Keys that are read after a step that moves data; at the end all of them are. */
const SAMPLED_GETS = 16;

/** A history: plain data. */
export interface History extends Omit<WorldOptions, "isFixed" | "keysAsText" | "isSub"> {
  /** What happens. */
  readonly steps: readonly Step[];
}

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  ...commands.map(({ name, weight, arguments: args }) => ({
    weight,
    arbitrary: fc.record({ do: fc.constant(name), with: args }),
  })),
);

/** Histories of 20 to 120 steps. */
export const histories: fc.Arbitrary<History> = fc.record({
  first: fc.nat(optionSets.length - 1),
  asyncFiles: fc.boolean(),
  seed: fc.nat(2 ** 31 - 1),
  // Short ones are more frequent: they cost less, and long ones find what takes many levels.
  steps: fc.oneof(
    {
      weight: 3,
      arbitrary: fc.array(anyStep, { minLength: MIN_STEPS, maxLength: 45, size: "max" }),
    },
    {
      weight: 1,
      arbitrary: fc.array(anyStep, { minLength: 45, maxLength: MAX_STEPS, size: "max" }),
    },
  ),
});

const byName = new Map(commands.map((command) => [command.name, command]));

/** Runs a history. Throws at the first answer that is not the map's. */
export async function runHistory(
  history: History,
  options: Pick<WorldOptions, "isFixed" | "keysAsText" | "isSub">,
): Promise<World> {
  const world = new World({ ...history, ...options });
  const restore = useScheduler(world.scheduler);
  try {
    await world.start();
    for (const [at, step] of history.steps.entries()) {
      await explained(`step ${at} (${step.do})`, () => runStep(world, step));
    }
    await explained("the end", () => finish(world));
  } finally {
    await world.dispose();
    restore();
  }
  return world;
}

async function runStep(world: World, step: Step): Promise<void> {
  const command = byName.get(step.do);
  if (command === undefined) throw new Error(`there is no command "${step.do}"`);
  await settled(Promise.resolve(command.run(world, step.with)), "the step");
  if (command.comparesAll === true) inspectAll(world, SAMPLED_GETS);
  else inspectSome(world);
}

async function finish(world: World): Promise<void> {
  await world.settle();
  inspectAll(world);
  await drainCursors(world);
  world.checkNeighbours();
}

async function explained(what: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (error instanceof Error) error.message = `${what}: ${error.message}`;
    throw error;
  }
}
