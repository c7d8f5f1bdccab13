/** How one crash state is named, counted, and reported when it fails. */

import { type CrashKind, crashKinds } from "./fault_crash_states.ts";

/** One state to be checked, as TINYKVS_CRASH names it: workload:event:kind#variant:seed. */
export interface CrashName {
  readonly workload: string;
  readonly event: number;
  readonly kind: CrashKind;
  readonly variant: number;
  readonly seed: number;
}

/** Reads a name; the variant may be left out. */
export function parseCrashName(text: string): CrashName {
  const match = /^([\w-]+):(\d+):([\w-]+?)(?:#(\d+))?:(\d+)$/.exec(text);
  const kind = crashKinds.find((known) => known === match?.[3]);
  if (match === null || kind === undefined) {
    throw new RangeError(`Cannot repeat "${text}": expected workload:event:kind#variant:seed`);
  }
  return {
    workload: match[1]!,
    event: Number(match[2]),
    kind,
    variant: Number(match[4] ?? 0),
    seed: Number(match[5]),
  };
}

/** What was done. */
export interface CrashCounts {
  /** States that were taken. */
  states: number;
  /** Different ones, opened or left out. */
  distinct: number;
  /** Different ones that were opened and checked, those of recoveries not counted. */
  opened: number;
  /** Different states of crashed recoveries that were opened and checked. */
  nested: number;
}

/** A state failed. */
export class CrashFailure extends Error {
  override readonly name: string = "CrashFailure";
  /** The event at which it was taken. */
  readonly event: number;

  /** Names the state and the way to it. */
  constructor(event: number, message: string, cause: unknown) {
    super(message, { cause });
    this.event = event;
  }
}
