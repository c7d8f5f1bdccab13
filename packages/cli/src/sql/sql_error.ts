/** Errors of SQL, which say what is possible. */

import { UsageError } from "../errors.ts";

/** What SQL can do here, for the advice of an error. */
export const POSSIBLE = {
  statements:
    "Possible are SELECT, INSERT, UPDATE and DELETE on the table kv(k, v), and EXPLAIN SELECT.",
  columns: "Possible are *, k, v, fields such as v.name, and count, sum, avg, min, max.",
  conditions:
    "Possible are =, !=, <, <=, >, >=, LIKE 'p%', STARTS WITH, BETWEEN, IN, IS NULL, AND, OR, NOT on k, v and v.field.",
  values: "Possible are 'text', x'00ff', 30, 2.5, true, and '{\"a\": 1}' for a record.",
  functions:
    "Possible are count, sum, avg, min and max as columns, and for keys uint64_be(n), uint64_le(n), uint32_be(n), uint32_le(n), byte(n), fnv64(text) and ||.",
} as const;

/** What is outside of the subset. */
export function unsupported(
  what: string,
  possible: string = POSSIBLE.statements,
): UsageError {
  return new UsageError(`SQL here has no ${what}`, possible);
}
