/** The options of a sub. */

import type { KeyChoice } from "./key_codec.ts";
import type { ValueChoice } from "./value_codec.ts";

/** The kinds of a sub's keys and values. */
export interface SubOptions<
  KC extends KeyChoice = KeyChoice,
  VC extends ValueChoice = ValueChoice,
> {
  /**
   * The sub's keys: `"store"` (text and bytes, as in the store), `"utf8"` (text), `"bytes"`,
   * `"tuple"`, or a codec such as `tuple<[user: string, at: number]>()`. Default `"store"`.
   */
  readonly key?: KC;
  /**
   * The sub's values: `"store"` (as in the store), `"json"`, a Standard Schema (zod, valibot,
   * arktype, ...), or a codec. Default `"store"`. With a schema, the sub stores the schema's
   * output. A value that the schema refuses is a `ValidationError` on write and a
   * `TypeMismatchError` on read. An asynchronous schema is a `TypeError`.
   */
  readonly value?: VC;
}
