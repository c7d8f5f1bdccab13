/** Everything that a log would show of an error. */

import { inspect } from "node:util";

/** Texts, own fields and causes of an error, without the stacks, whose lines quote this file. */
export function reportedText(error: unknown): string {
  const parts: string[] = [];
  for (let at = error; at !== undefined && at !== null && parts.length < 32;) {
    if (!(at instanceof Error)) {
      parts.push(inspect(at, { depth: 8 }));
      break;
    }
    parts.push(at.name, at.message);
    for (const [name, value] of Object.entries(at)) {
      if (name !== "cause") parts.push(`${name}: ${inspect(value, { depth: 8 })}`);
    }
    if (at instanceof AggregateError) parts.push(...at.errors.map(reportedText));
    at = at.cause;
  }
  return parts.join("\n");
}
