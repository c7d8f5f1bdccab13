/**
 * What a step of a history is: the name of a command and its arguments, plain data, so that a
 * history can be printed as JSON and run again. To add a command, define it in one of the files
 * `commands_*.ts` and put it into the list in commands.ts; generation, shrinking and printing
 * follow.
 */

import type fc from "fast-check";
import type { World } from "./world.ts";

/** One step of a history. */
export interface Step {
  /** Name of the command. */
  readonly do: string;
  /** Its arguments. */
  readonly with: unknown;
}

/** A command with the type of its arguments. */
export interface CommandDefinition<A> {
  /** Its name. */
  readonly name: string;
  /** How often it occurs, against the weights of the others. */
  readonly weight: number;
  /** Makes arguments; they must survive JSON, but for properties that are undefined. */
  readonly arguments: fc.Arbitrary<A>;
  /** Whether the whole store is compared with the map after it; else only a part is. */
  readonly comparesAll?: boolean;
  /** Does it to the store and to the model, and compares. */
  run(world: World, args: A): void | Promise<void>;
}

/** A command among others. */
export type Command = CommandDefinition<unknown>;

/** Makes a command; its `run` only ever gets what its `arguments` makes. */
export function command<A>(definition: CommandDefinition<A>): Command {
  return {
    ...definition,
    run: (world, args) => definition.run(world, args as A),
  };
}
