/** What a sub is made with. */

import type { KeyChoice } from "./key_codec.ts";
import type { ValueChoice } from "./value_codec.ts";

/** What keys and values a sub has. */
export interface SubOptions<
  KC extends KeyChoice = KeyChoice,
  VC extends ValueChoice = ValueChoice,
> {
  /**
   * Its keys: `"store"` (text and bytes, as the store's), `"utf8"` (text), `"bytes"`, `"tuple"`, or
   * a codec such as `tuple<[user: string, at: number]>()`. Default `"store"`.
   */
  readonly key?: KC;
  /**
   * Its values: `"store"` (as the store's), `"json"`, a Standard Schema (zod, valibot, arktype,
   * ...), or a codec. Default `"store"`. A schema's output is what is stored; what it does not
   * accept is a `ValidationError` on write and a `TypeMismatchError` on read. Asynchronous schemas
   * are refused by a `TypeError`.
   */
  readonly value?: VC;
}
