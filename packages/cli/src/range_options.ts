/** The options that choose a range of keys, the same for every command that reads several. */

import type { Range } from "@tinykvs/core";
import type { FlagOption, OptionValues, ValuedOption } from "./command.ts";
import { UsageError } from "./errors.ts";
import { parseKey } from "./values/literal_parser.ts";
import { keyText } from "./values/literal_text.ts";

/** The bounds of a range. */
export const boundOptions: Readonly<
  Record<"prefix" | "gte" | "gt" | "lte" | "lt", ValuedOption>
> = {
  prefix: { value: "KEY", short: "p", help: "only keys that begin with this" },
  gte: { value: "KEY", help: "from this key on" },
  gt: { value: "KEY", help: "after this key" },
  lte: { value: "KEY", help: "up to this key" },
  lt: { value: "KEY", help: "before this key" },
};

/** The bounds, and how many and in which direction. */
export const rangeOptions: typeof boundOptions & {
  readonly reverse: FlagOption;
  readonly limit: ValuedOption;
} = {
  ...boundOptions,
  reverse: { short: "r", help: "from the last key to the first" },
  limit: { value: "N", short: "n", help: "at most this number of entries" },
};

/** The range that the options describe. */
export function rangeOf(options: OptionValues<typeof rangeOptions>): Range {
  return {
    ...boundsOf(options),
    ...(options.reverse === true ? { reverse: true } : {}),
    ...(options.limit === undefined ? {} : { limit: wholeNumber(options.limit, "--limit") }),
  };
}

/** The bounds that the options describe. */
export function boundsOf(
  options: OptionValues<typeof boundOptions>,
): Pick<Range, "prefix" | "gte" | "gt" | "lte" | "lt"> {
  const bounds: Pick<Range, "prefix" | "gte" | "gt" | "lte" | "lt"> = {};
  for (const name of ["prefix", "gte", "gt", "lte", "lt"] as const) {
    const text = options[name];
    if (text !== undefined) bounds[name] = parseKey(text);
  }
  return bounds;
}

/** Whether a range has no bounds: it is the whole store. */
export function isWholeStore(range: Range): boolean {
  return range.prefix === undefined && range.gte === undefined &&
    range.gt === undefined &&
    range.lte === undefined && range.lt === undefined;
}

/** The bounds in words: "keys with the prefix user:", "all keys". */
export function describeRange(range: Range): string {
  const name = (key: string | Uint8Array): string =>
    keyText(typeof key === "string" ? new TextEncoder().encode(key) : key, 60);
  const parts: string[] = [];
  if (range.prefix !== undefined) {
    parts.push(`with the prefix ${name(range.prefix)}`);
  }
  if (range.gte !== undefined) parts.push(`from ${name(range.gte)}`);
  if (range.gt !== undefined) parts.push(`after ${name(range.gt)}`);
  if (range.lte !== undefined) parts.push(`up to ${name(range.lte)}`);
  if (range.lt !== undefined) parts.push(`before ${name(range.lt)}`);
  return parts.length === 0 ? "all keys" : `keys ${parts.join(", ")}`;
}

/** A whole number of an option, at least `least`. @throws {UsageError} it is not one */
export function wholeNumber(
  text: string,
  option: string,
  least: number = 0,
): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= least) {
    return number;
  }
  throw new UsageError(
    `${option} is "${text}", expected a whole number of at least ${least}`,
  );
}
